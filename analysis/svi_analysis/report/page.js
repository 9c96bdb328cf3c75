"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);

// Charts: a select chooses among the entries of a list.
function chartOf(id, entries) {
  const host = document.getElementById(id);
  if (!host || !entries.length) return null;
  const select = host.querySelector("select");
  const chart = new Chart(host, () => entries[Number(select.value)]);
  select.addEventListener("change", () => {
    chart.reset();
    const meaning = host.querySelector(".meaning");
    if (meaning) meaning.textContent = entries[Number(select.value)].meaning || "";
  });
  const bands = host.querySelector("input[type=checkbox]");
  if (bands) bands.addEventListener("change", () => { chart.bands = bands.checked; chart.draw(); });
  return chart;
}

const curves = chartOf("curves-chart", DATA.curves);
chartOf("training-chart", DATA.training);

// Films: all of a scene play in step with the first that can be seen.
class Films {
  constructor(host, scenes) {
    this.host = host;
    this.scenes = scenes;
    this.grid = host.querySelector(".films");
    this.play = host.querySelector(".play");
    this.range = host.querySelector("input[type=range]");
    this.readout = host.querySelector(".readout");
    this.speed = host.querySelector("select");
    this.sources = new Map();
    this.playing = false;
    this.play.addEventListener("click", () => this.toggle());
    this.range.addEventListener("input", () => this.seek(Number(this.range.value) / 1000));
    this.speed.addEventListener("change", () => {
      for (const video of this.videos) video.playbackRate = Number(this.speed.value);
    });
    this.buttons = [...host.querySelectorAll(".scene")];
    this.buttons.forEach((button, scene) => button.addEventListener("click", () => this.open(scene)));
    watchers.push(() => this.hide());
    this.open(0);
  }

  source(film) {
    if (!this.sources.has(film)) {
      const bytes = Uint8Array.from(atob(film.data), (letter) => letter.charCodeAt(0));
      this.sources.set(film, URL.createObjectURL(new Blob([bytes], {type: film.type})));
    }
    return this.sources.get(film);
  }

  open(scene) {
    this.stop();
    this.grid.textContent = "";
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === scene)));
    const number = this.scenes[scene].number;
    this.videos = this.scenes[scene].films.map((film) => {
      const figure = document.createElement("figure"), video = document.createElement("video");
      const caption = document.createElement("figcaption");
      if (film.arm >= 0) { figure.style.setProperty("--arm", armColour(film.arm)); figure.dataset.arm = film.arm; }
      Object.assign(video, {muted: true, playsInline: true, loop: false, preload: "auto", src: this.source(film)});
      video.setAttribute("aria-label", `Film of scene ${number}: ${film.label}`);
      video.playbackRate = Number(this.speed.value);
      video.addEventListener("ended", () => {
        if (this.playing && this.videos.every((other) => other.ended)) this.again();
      });
      caption.textContent = film.label;
      figure.append(video, caption);
      this.grid.appendChild(figure);
      return video;
    });
    this.hide();
    this.seek(0);
  }

  hide() {
    for (const figure of this.grid.querySelectorAll("figure[data-arm]")) {
      figure.hidden = hidden.has(Number(figure.dataset.arm));
    }
  }

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
    for (const video of this.videos || []) video.pause();
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
    const clip = Math.min(DATA.clips, 1 + Math.floor(share * DATA.clips));
    const text = DATA.clips ? `clip ${clip} of ${DATA.clips}` : `${Math.round(100 * share)} %`;
    if (this.readout.textContent !== text) {
      this.readout.textContent = text;
      this.range.setAttribute("aria-valuetext", text);
      if (curves && this.playing) curves.follow(share);
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

const host = document.getElementById("films-player");
const films = host && DATA.scenes.length ? new Films(host, DATA.scenes) : null;
if (curves && films) curves.onchosen = (share) => films.seek(share);

addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
if (DATA.reload) setInterval(() => { if (!films || !films.playing) location.reload(); }, 1000 * DATA.reload);
