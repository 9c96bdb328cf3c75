"use strict";
// Films that play in step with the longest of them, under one button and one slider. `host` holds .play, .readout, a range
// and a select for the speed; `clips` counts those of a film (0: not known).
class Player {
  constructor(host, clips) {
    this.host = host;
    this.clips = clips;
    this.play = host.querySelector(".play");
    this.range = host.querySelector("input[type=range]");
    this.readout = host.querySelector(".readout");
    this.speed = host.querySelector("select");
    this.videos = [];
    this.playing = false;
    this.play.addEventListener("click", () => this.toggle());
    this.range.addEventListener("input", () => this.seek(Number(this.range.value) / 1000));
    this.speed.addEventListener("change", () => {
      for (const video of this.videos) video.playbackRate = Number(this.speed.value);
    });
  }

  // Takes these films from now on, and goes to their beginning.
  show(videos) {
    this.stop();
    this.videos = videos;
    for (const video of videos) {
      video.playbackRate = Number(this.speed.value);
      video.addEventListener("ended", () => {
        if (this.playing && this.videos.every((other) => other.ended)) this.again();
      });
    }
    this.seek(0);
  }

  // Called whenever the place changes to another clip (counted from 1); for those who want to know.
  told() {}

  longest() { return this.videos.reduce((best, video) => (video.duration || 0) > (best.duration || 0) ? video : best); }

  toggle() { if (this.playing) this.stop(); else this.start(); }

  start() {
    if (this.longest().ended) this.seek(0);
    this.playing = true;
    this.play.textContent = "Pause";
    for (const video of this.videos) { const begun = video.play(); if (begun) begun.catch(() => {}); }
    const frame = () => { if (!this.playing) return; this.step(); requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
  }

  stop() {
    this.playing = false;
    this.play.textContent = "Play";
    for (const video of this.videos) video.pause();
  }

  again() {
    this.seek(0);
    for (const video of this.videos) { const begun = video.play(); if (begun) begun.catch(() => {}); }
  }

  step() {
    const master = this.longest();
    for (const video of this.videos) {
      // A film that is over keeps its last picture; one that lags by more than two frames or so jumps.
      const now = master.currentTime, apart = Math.abs(video.currentTime - now);
      if (video !== master && !video.ended && apart > 0.2 && now < video.duration) video.currentTime = now;
    }
    this.tell();
  }

  share() { const master = this.longest(); return master.duration ? master.currentTime / master.duration : 0; }

  tell() {
    const share = Math.min(1, this.share());
    this.range.value = Math.round(1000 * share);
    const clip = Math.min(this.clips, 1 + Math.floor(share * this.clips));
    const text = this.clips ? `clip ${clip} of ${this.clips}` : `${Math.round(100 * share)} %`;
    if (this.readout.textContent !== text) {
      this.readout.textContent = text;
      this.range.setAttribute("aria-valuetext", text);
      this.told(clip, share);
    }
  }

  seek(share) {
    const length = Math.max(0, ...this.videos.map((video) => video.duration || 0));
    for (const video of this.videos) {
      if (video.readyState > 0) video.currentTime = Math.min(share * length, Math.max(0, video.duration - 0.01));
    }
    this.range.value = Math.round(1000 * share);
    this.tell();
  }
}
