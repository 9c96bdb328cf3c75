"use strict";
// Each suite is a player over the films that its section holds; only one plays at a time.
const SUITES = JSON.parse(document.getElementById("data").textContent);
const players = [];

class Suite extends Player {
  constructor(host, facts) {
    super(host, facts.clips);
    this.facts = facts;
    this.prompt = host.querySelector(".prompt");
    const videos = [...host.querySelectorAll("video")];
    for (const video of videos) {
      video.controls = false;  // those are for readers without scripts
      video.addEventListener("loadedmetadata", () => this.tell());
    }
    this.show(videos);
    this.told(1);
  }

  start() {
    for (const other of players) if (other !== this && other.playing) other.stop();
    super.start();
  }

  told(clip) {
    const prompts = this.facts.prompts;
    if (this.prompt && prompts.length) this.prompt.textContent = prompts[Math.min(clip, prompts.length) - 1];
  }
}

for (const host of document.querySelectorAll(".suite")) players.push(new Suite(host, SUITES[Number(host.dataset.suite)]));
