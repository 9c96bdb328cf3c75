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

// Films of the chosen scene, made from the page's own data.
class Films extends Player {
  constructor(host, scenes) {
    super(host, DATA.clips);
    this.scenes = scenes;
    this.grid = host.querySelector(".films");
    this.sources = new Map();
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
    this.show(this.scenes[scene].films.map((film) => {
      const figure = document.createElement("figure"), video = document.createElement("video");
      const caption = document.createElement("figcaption");
      if (film.arm >= 0) { figure.style.setProperty("--arm", armColour(film.arm)); figure.dataset.arm = film.arm; }
      Object.assign(video, {muted: true, playsInline: true, loop: false, preload: "auto", src: this.source(film)});
      video.setAttribute("aria-label", `Film of scene ${number}: ${film.label}`);
      caption.textContent = film.label;
      figure.append(video, caption);
      this.grid.appendChild(figure);
      return video;
    }));
    this.hide();
  }

  hide() {
    for (const figure of this.grid.querySelectorAll("figure[data-arm]")) {
      figure.hidden = hidden.has(Number(figure.dataset.arm));
    }
  }

  told(clip, share) { if (curves && this.playing) curves.follow(share); }
}

const host = document.getElementById("films-player");
const films = host && DATA.scenes.length ? new Films(host, DATA.scenes) : null;
if (curves && films) curves.onchosen = (share) => films.seek(share);

addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
if (DATA.reload) setInterval(() => { if (!films || !films.playing) location.reload(); }, 1000 * DATA.reload);
