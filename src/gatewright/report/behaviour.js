"use strict";
// Draws the pictures, sorts the tables, switches the light. The page reads without it.
(() => {
  const drawn = JSON.parse(document.getElementById("drawn").textContent);
  const root = document.documentElement;
  const find = (id) => document.getElementById(id);
  const dashes = ["solid", "dash", "dot", "dashdot", "longdash"];
  const redraws = []; // what to call when the light changes

  // plotly reads tags in its labels; as entities they stay what people wrote.
  const quiet = (text) =>
    String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const short = (text, most = 60) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const faded = (hex, alpha) =>
    `rgba(${[1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(",")},${alpha})`;

  const people = new Map(drawn.candidates.map((one) => [one.name, one]));
  const titled = (name) => people.get(name).title;
  function lookOf(name) {
    const { baseline, slot } = people.get(name);
    const count = baseline ? 5 : 8;
    const kind = baseline ? "baseline" : "network";
    // Baselines are never whole lines, so that they differ without colour too.
    const dash = baseline ? dashes[1 + (slot % 4)] : dashes[Math.floor(slot / count) % 5];
    return { color: colour(`${kind}-${(slot % count) + 1}`), dash, baseline };
  }

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  // ---- Parts that choose

  function select(label, options, chosen, changed) {
    const list = element("select", { onchange: () => changed(list.value) });
    for (const [value, text] of options) list.append(element("option", { value }, text));
    list.value = chosen;
    return element("label", {}, `${label} `, list);
  }

  function buttons(label, options, chosen, changed) {
    const group = element("div", { class: "choice", role: "group", "aria-label": label });
    for (const [value, text] of options) {
      const press = () => {
        for (const other of group.children) other.setAttribute("aria-pressed", other === one);
        changed(value);
      };
      const one = element("button", { type: "button", onclick: press }, text);
      one.setAttribute("aria-pressed", value === chosen);
      group.append(one);
    }
    return group;
  }

  function swatch({ color, dash }) {
    const space = "http://www.w3.org/2000/svg";
    const picture = document.createElementNS(space, "svg");
    const line = document.createElementNS(space, "line");
    const patterns = { solid: "", dash: "7 4", dot: "2 4", dashdot: "7 3 2 3", longdash: "12 4" };
    const values = { width: 26, height: 8, "aria-hidden": true };
    for (const [name, value] of Object.entries(values)) picture.setAttribute(name, value);
    const ends = { x1: 1, x2: 25, y1: 4, y2: 4, stroke: color };
    for (const [name, value] of Object.entries(ends)) line.setAttribute(name, value);
    if (patterns[dash]) line.setAttribute("stroke-dasharray", patterns[dash]);
    picture.append(line);
    return picture;
  }

  // Our own legend: plotly's cannot be reached by keyboard. ``on`` is the set of what is drawn.
  function legend(box, entries, on, changed, fixed = []) {
    if (!box) return;
    const focused = [...box.querySelectorAll("button")].indexOf(document.activeElement);
    box.replaceChildren();
    for (const [text, look] of fixed)
      box.append(element("span", { class: "fixed" }, swatch(look), text));
    for (const [key, text, look] of entries) {
      const press = () => {
        if (!on.delete(key)) on.add(key);
        changed();
      };
      const one = element("button", { type: "button", onclick: press }, swatch(look), text);
      one.setAttribute("aria-pressed", on.has(key));
      box.append(one);
    }
    if (focused >= 0) box.querySelectorAll("button")[focused]?.focus();
  }

  // ---- Plotly

  function layout(options) {
    const axis = {
      gridcolor: colour("grid"), linecolor: colour("line"), zeroline: false, automargin: true,
      tickfont: { color: colour("faint"), size: 12 }, ticks: "", separatethousands: true,
    };
    const titledAxis = ({ text, ...rest }) => ({
      ...axis, ...rest,
      title: { text: quiet(short(text)), font: { color: colour("soft"), size: 13 }, standoff: 10 },
    });
    return {
      ...options,
      xaxis: titledAxis(options.xaxis), yaxis: titledAxis(options.yaxis),
      font: { family: getComputedStyle(document.body).fontFamily, color: colour("ink") },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 56, r: 12, t: 10, b: 44 }, showlegend: false, hovermode: options.hovermode || "closest",
      hoverlabel: {
        bgcolor: colour("card"), bordercolor: colour("line"), namelength: 40,
        font: { color: colour("ink"), size: 13 },
      },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    };
  }

  const config = {
    displaylogo: false, responsive: true, showTips: false, displayModeBar: false, doubleClick: "reset",
  };

  // Pictures far below are drawn when they come near: the page is there at once.
  function picture(id, draw) {
    const box = find(id);
    if (!box) return () => {};
    let near = false;
    const redraw = () => {
      if (near) {
        const { traces, options } = draw();
        Plotly.react(box, traces, layout(options), config);
      }
    };
    const watch = new IntersectionObserver((seen) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      near = true;
      redraw();
    }, { rootMargin: "600px" });
    watch.observe(box);
    redraws.push(redraw);
    return redraw;
  }

  // An axis that counts: plotly would put 1.5 between two of few.
  const counted = (text, last) => ({ text, ...(last <= 12 && { dtick: 1 }) });

  const line = (name, x, y, look, more = {}) => ({
    type: "scatter", mode: "lines", name: quiet(short(name, 40)), x, y,
    line: { color: look.color, dash: look.dash, width: look.baseline ? 2 : 2.4 }, ...more,
  });

  // ---- Forecasts

  function showForecasts(forecasts) {
    const state = { origin: 0, target: 0, on: new Set(drawn.leaders.filter((one) => one in forecasts.by)) };
    const names = Object.keys(forecasts.by);
    if (!state.on.size) state.on.add(names[0]);

    function band(name, by, x, lower, upper, alpha, color) {
      return {
        type: "scatter", mode: "lines", line: { width: 0 }, fill: "toself", hoverinfo: "skip",
        fillcolor: faded(color, alpha), name: quiet(name),
        x: [...x, ...[...x].reverse()], y: [...by[upper], ...[...by[lower]].reverse()],
      };
    }

    function draw() {
      const { origin, target } = state;
      const x = forecasts.time[origin];
      const future = x.slice(forecasts.history);
      const truth = forecasts.truth[origin][target];
      const bands = [];
      const lines = [];
      for (const name of names.filter((one) => state.on.has(one))) {
        const all = forecasts.by[name];
        const by = Object.fromEntries(Object.keys(all).map((key) => [key, all[key][origin][target]]));
        const look = lookOf(name);
        bands.push(band(titled(name), by, future, "lowest", "highest", 0.13, look.color));
        bands.push(band(titled(name), by, future, "low", "high", 0.2, look.color));
        const dot = future.length === 1 ? { mode: "markers", cliponaxis: false, marker: { color: look.color, size: 9 } } : {};
        lines.push(line(titled(name), future, by.point, look, dot));
      }
      const ink = { color: colour("truth"), dash: "solid" };
      const marks = { mode: x.length > 80 ? "lines" : "lines+markers", cliponaxis: false, marker: { size: 4, color: ink.color } };
      const begin = forecasts.history
        ? [{
          type: "line", x0: x[forecasts.history - 1], x1: x[forecasts.history - 1], yref: "paper", y0: 0, y1: 1,
          line: { color: colour("faint"), width: 1, dash: "dot" },
        }]
        : [];
      const options = {
        xaxis: {
          text: forecasts.axis, type: forecasts.dates ? "date" : "linear",
          ...(x.length > 9 && { range: [x[0], x.at(-1)] }),
          ...(forecasts.form && { tickformat: forecasts.form, hoverformat: forecasts.form }),
        },
        yaxis: { text: forecasts.targets[target] }, hovermode: "x unified", shapes: begin,
      };
      return { traces: [...bands, line("what happened", x, truth, ink, marks), ...lines], options };
    }

    const redraw = picture("forecast-plot", draw);
    const relist = () => legend(
      find("forecast-legend"), names.map((name) => [name, titled(name), lookOf(name)]), state.on,
      () => { relist(); redraw(); },
      [["what happened", { color: colour("truth"), dash: "solid" }]],
    );
    redraws.push(relist);
    relist();
    const origins = forecasts.origins.map((label, index) => [String(index), label]);
    const controls = find("forecast-controls");
    const move = (value) => { state.origin = Number(value); redraw(); };
    controls.append(select("Forecast from", origins, "0", move));
    if (forecasts.targets.length > 1) {
      const targets = forecasts.targets.map((label, index) => [String(index), label]);
      controls.append(select("of", targets, "0", (value) => { state.target = Number(value); redraw(); }));
    }
  }

  // ---- Numbers of sequences

  function showScatter(predictions) {
    const names = Object.keys(predictions.by);
    const state = { target: 0, on: new Set(drawn.leaders.filter((one) => one in predictions.by)) };
    const shapes = ["circle", "square", "diamond", "cross", "triangle-up"];

    function draw() {
      const truth = predictions.truth[state.target];
      const traces = names.filter((name) => state.on.has(name)).map((name) => {
        const look = lookOf(name);
        const { baseline, slot } = people.get(name);
        return {
          type: "scatter", mode: "markers", name: quiet(short(titled(name), 40)), x: truth,
          y: predictions.by[name][state.target],
          marker: {
            color: faded(look.color, baseline ? 0.05 : 0.65), size: 7, symbol: shapes[slot % 5],
            line: { color: look.color, width: baseline ? 1.4 : 0 },
          },
        };
      });
      const shown = [truth, ...traces.map((one) => one.y)].flat().filter((one) => one !== null);
      const ends = shown.reduce(([low, high], one) => [Math.min(low, one), Math.max(high, one)], [Infinity, -Infinity]);
      const ink = { color: colour("faint"), dash: "dot" };
      traces.unshift(line("right", ends, ends, ink, { hoverinfo: "skip" }));
      const name = predictions.targets[state.target];
      return { traces, options: { xaxis: { text: `${name}, true` }, yaxis: { text: "predicted" } } };
    }

    const redraw = picture("scatter-plot", draw);
    const relist = () => legend(
      find("scatter-legend"), names.map((name) => [name, titled(name), lookOf(name)]), state.on,
      () => { relist(); redraw(); },
    );
    redraws.push(relist);
    relist();
    if (predictions.targets.length > 1) {
      const targets = predictions.targets.map((label, index) => [String(index), label]);
      find("scatter-controls").append(
        select("Of", targets, "0", (value) => { state.target = Number(value); redraw(); }),
      );
    }
  }

  // ---- Confusion

  function showConfusions() {
    const tables = [...document.querySelectorAll(".confusion")];
    if (!tables.length) return;
    const options = tables.map((one) => [one.dataset.name, titled(one.dataset.name)]);
    const first = options.find(([name]) => name === drawn.recommended) || options[0];
    const only = (name) => tables.forEach((one) => { one.hidden = one.dataset.name !== name; });
    const kinds = [["count", "Counts"], ["share", "Share of the row"]];
    const section = find("predictions");
    find("confusion-controls").append(
      select("Candidate", options, first[0], only),
      buttons("What the cells tell", kinds, "count", (kind) => section.classList.toggle("by-share", kind === "share")),
    );
    only(first[0]);
  }

  // ---- Error by step

  function showSteps(losses) {
    const names = Object.keys(losses);
    // One that is hopeless would press all others to the floor.
    const mean = (name) => losses[name].reduce((sum, one) => sum + one, 0) / losses[name].length;
    const best = Math.min(...names.map(mean));
    const on = new Set(names.filter((name) => mean(name) <= 4 * best || drawn.leaders.includes(name)));
    const draw = () => ({
      traces: names.filter((name) => on.has(name)).map((name) => {
        const x = losses[name].map((_, index) => index + 1);
        return line(titled(name), x, losses[name], lookOf(name));
      }),
      options: {
        xaxis: counted("steps ahead", losses[names[0]].length), yaxis: { text: drawn.metric, rangemode: "tozero" },
        hovermode: "x unified",
      },
    });
    const redraw = picture("steps-plot", draw);
    const relist = () => legend(
      find("steps-legend"), names.map((name) => [name, titled(name), lookOf(name)]), on,
      () => { relist(); redraw(); },
    );
    redraws.push(relist);
    relist();
  }

  // ---- Learning

  function showLearning(fits) {
    const names = Object.keys(fits);
    if (!names.length) return;
    const state = { who: "", on: new Set(), scale: "linear" };
    // Of all candidates the chosen setting; of one, each of its settings in a colour.
    const groups = () => (state.who
      ? [...new Set(fits[state.who].map((one) => one.setting))].sort((a, b) => a - b).map((setting) => {
        const curves = fits[state.who].filter((one) => one.setting === setting);
        const look = { color: colour(`network-${((setting - 1) % 8) + 1}`), dash: "solid" };
        return { key: String(setting), text: `setting ${setting}${curves[0].chosen ? ", chosen" : ""}`, look, curves };
      })
      : names.map((name) => ({
        key: name, text: titled(name), look: lookOf(name), curves: fits[name].filter((one) => one.chosen),
      })).filter(({ curves }) => curves.length));
    const curves = () => groups().filter(({ key }) => state.on.has(key)).flatMap(
      ({ text, look, curves: some }) => some.map((one) => ({ one, look, text: `${text}, seed ${one.seed}` })),
    );
    const longest = () => Math.max(...curves().map(({ one }) => one.epoch.at(-1)), 0);
    const solid = (look) => ({ ...look, dash: "solid" });

    function losses() {
      const traces = curves().flatMap(({ one, look, text }) => {
        const index = one.epoch.indexOf(one.best);
        return [
          line(`${text}, training`, one.epoch, one.train, { ...look, dash: "dot" }, { opacity: 0.5, line: { color: look.color, dash: "dot", width: 1.4 } }),
          line(`${text}, validation`, one.epoch, one.validation, solid(look), { line: { color: look.color, width: 2 } }),
          {
            type: "scatter", mode: "markers", name: quiet(`${short(text, 40)}, best`), x: [one.best], y: [one.validation[index]],
            marker: { color: look.color, size: 8, line: { color: colour("card"), width: 1.5 } },
          },
        ];
      });
      return { traces, options: { xaxis: counted("epoch", longest()), yaxis: { text: "loss", type: state.scale } } };
    }

    function norms() {
      const traces = curves().map(({ one, look, text }) => line(text, one.epoch, one.norm, solid(look), {
        text: one.clipped.map((share) => `${Math.round(100 * share)}% of steps clipped`),
        line: { color: look.color, width: 2 },
      }));
      const clip = {
        type: "line", xref: "paper", x0: 0, x1: 1, y0: drawn.clip, y1: drawn.clip,
        line: { color: colour("faint"), width: 1, dash: "dash" },
      };
      const options = { xaxis: counted("epoch", longest()), yaxis: { text: "norm", rangemode: "tozero" }, shapes: [clip] };
      return { traces, options };
    }

    const redrawLosses = picture("learning-plot", losses);
    const redrawNorms = picture("gradient-plot", norms);
    function note() {
      const shares = groups().filter(({ key }) => state.on.has(key)).map(({ text, curves: some }) => {
        const every = some.flatMap((one) => one.clipped);
        const mean = every.reduce((sum, share) => sum + share, 0) / every.length;
        return `${text} ${(100 * mean).toFixed(mean < 0.1 ? 1 : 0)}%`;
      });
      find("learning-note").textContent = shares.length ? `Share of steps whose gradient was clipped: ${shares.join("; ")}.` : "";
    }
    function update() {
      legend(find("learning-legend"), groups().map(({ key, text, look }) => [key, text, solid(look)]), state.on, update);
      note();
      redrawLosses();
      redrawNorms();
    }
    const choose = (who) => {
      state.who = who;
      state.on = new Set(groups().map(({ key }) => key));
      update();
    };
    const options = [["", "all, with the chosen setting"], ...names.map((name) => [name, `${titled(name)}, every setting`])];
    const scales = [["linear", "Linear"], ["log", "Logarithmic"]];
    find("learning-controls").append(
      select("Curves of", options, "", choose),
      buttons("Axis of the loss", scales, "linear", (scale) => { state.scale = scale; redrawLosses(); }),
    );
    redraws.push(update);
    choose("");
  }

  // ---- Tables

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    const original = [...body.rows];
    const value = (row, column, numbers) => {
      const cell = row.cells[column];
      if (!numbers) return cell.textContent.trim().toLowerCase();
      return cell?.dataset.value === undefined || cell.dataset.value === "" ? null : Number(cell.dataset.value);
    };
    heads.forEach((head, column) => {
      if (!head.dataset.sort) return;
      const numbers = head.dataset.sort === "number";
      const sort = () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const failed = original.filter((row) => row.classList.contains("failed"));
        const rows = original.filter((row) => !failed.includes(row)).map((row) => [value(row, column, numbers), row]);
        rows.sort(([one], [two]) => {
          if (one === null || two === null) return (one === null) - (two === null);
          const order = numbers ? one - two : one.localeCompare(two);
          return down ? -order : order;
        });
        body.append(...rows.map(([, row]) => row), ...failed);
      };
      const press = element("button", { type: "button", onclick: sort });
      press.append(...head.childNodes);
      head.append(press);
    });
  }

  // ---- Light, copy

  function switchLight() {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("gatewright-theme", root.dataset.theme);
    } catch (error) { /* a page without memory forgets */ }
    redraws.forEach((redraw) => redraw());
  }

  async function copy() {
    const text = find("command").textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch (error) { // older browsers, and pages opened from a disk
      getSelection().selectAllChildren(find("command"));
      document.execCommand("copy");
      getSelection().removeAllRanges();
    }
    find("copy").textContent = "Copied";
    setTimeout(() => { find("copy").textContent = "Copy"; }, 2000);
  }

  find("theme").addEventListener("click", switchLight);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraws.forEach((redraw) => redraw()));
  find("copy")?.addEventListener("click", copy);
  document.querySelectorAll("table.sortable").forEach(sortable);
  showConfusions();
  if (drawn.forecasts) showForecasts(drawn.forecasts);
  if (drawn.scatter) showScatter(drawn.scatter);
  if (drawn.error_by_step) showSteps(drawn.error_by_step);
  showLearning(drawn.learning);
})();
