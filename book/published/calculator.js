// The calculator: what a hub for your group would cost, interpolated from the table in the page.
// Everything is computed here, from rows that notebook 06 modelled; nothing is asked of the network.
"use strict";
(() => {
  const form = document.getElementById("calculator");
  if (!form) return;
  const HOURS = 730;
  const lasts = (ask) => (ask.style === "hackweek" ? 120 / HOURS : 1);
  const rows = (name) => {
    const [head, ...body] = JSON.parse(
      document.getElementById(`result-06-what-if-${name}-rows`).textContent);
    return body.map((row) => Object.fromEntries(head.map((key, i) =>
      [key, row[i] !== "" && !isNaN(row[i]) ? Number(row[i]) : row[i]])));
  };
  const prices = Object.fromEntries(rows("calculator-prices").map((row) => [row.item, row.usd]));
  const grid = rows("calculator-grid");
  const axis = (key) => [...new Set(grid.map((row) => row[key]))].sort((a, b) => a - b);
  const PEOPLE = axis("people"), MEMORY = axis("memory_gib"), ROOMS = axis("room");
  const cells = new Map(grid.map((row) =>
    [[row.style, row.people, row.memory_gib, row.room].join(), row]));

  // Between two steps of an axis, on a logarithmic scale; outside it, the nearest step.
  const between = (steps, value) => {
    const x = Math.min(Math.max(value, steps[0]), steps[steps.length - 1]);
    let i = 0;
    while (i < steps.length - 2 && steps[i + 1] < x) i++;
    return [steps[i], steps[i + 1], Math.log(x / steps[i]) / Math.log(steps[i + 1] / steps[i])];
  };
  const interpolate = (style, people, memory, room, column) => {
    const [p0, p1, u] = between(PEOPLE, people), [m0, m1, v] = between(MEMORY, memory);
    const at = (p, m) => cells.get([style, p, m, room].join())[column];
    // Per person on the way, so that what grows with people is straight.
    const per = (p, m) => column === "wait_s" ? at(p, m) : at(p, m) / p;
    const value = (1 - u) * ((1 - v) * per(p0, m0) + v * per(p0, m1))
      + u * ((1 - v) * per(p1, m0) + v * per(p1, m1));
    return column === "wait_s" ? value : value * people;
  };

  const answer = (ask) => {
    const ways = ROOMS.map((room) => ({
      room,
      usd: interpolate(ask.style, ask.people, ask.memory, room, "users_usd"),
      wait: interpolate(ask.style, ask.people, ask.memory, room, "wait_s"),
    }));
    const quick = ways.filter((way) => way.wait <= ask.wait);
    const way = quick.length
      ? quick.reduce((a, b) => (b.usd < a.usd ? b : a))
      : ways.reduce((a, b) => (b.wait < a.wait ? b : a));
    const nat = ask.nat === "none" ? "public address of the core node" : "NAT gateway and its address";
    const parts = [
      [ask.support === "extended" ? "control plane, extended support" : "control plane",
        HOURS * (ask.support === "extended" ? prices["cluster-hour-extended"] : prices["cluster-hour"]), true],
      ["node that always runs", HOURS * prices["core-node-hour"], true],
      ["its disk and volumes", prices["core-disk-month"], true],
      ["load balancer and its addresses",
        HOURS * (prices["load-balancer-hour"] + 2 * prices["address-hour"]), true],
      [nat, HOURS * (prices["address-hour"] + (ask.nat === "none" ? 0 : prices["nat-hour"])), true],
      ["home directories", ask.people * ask.homes * prices["home-gib-month"], true],
      ["machines for users", way.usd, false],
      ["Dask workers on spot", ask.dask * prices["dask-core-hour"], false],
      ["GPU", ask.gpu * prices["gpu-hour"], false],
    ];
    // The control plane costs the same in every region.
    for (const part of parts.slice(1)) part[1] *= ask.region / 100;
    // The table and the floor are for a month; a hackweek and its hub last five days of it.
    for (const part of parts.slice(0, -2)) part[1] *= lasts(ask);
    const total = parts.reduce((sum, part) => sum + part[1], 0);
    const floor = parts.filter((part) => part[2]).reduce((sum, part) => sum + part[1], 0);
    return { parts, total, floor, way, served: quick.length > 0 };
  };

  const supported = (ask) => {
    const fits = (people) => {
      const got = answer({ ...ask, people });
      return got.served && got.total <= ask.budget;
    };
    let low = 0, high = PEOPLE[PEOPLE.length - 1];
    if (fits(high)) return `${high} or more`;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (fits(middle)) low = middle; else high = middle;
    }
    return String(low);
  };

  const CHANGES = [
    ["let people wait five minutes for a server", { wait: 300 }],
    ["stay in standard support", { support: "standard" }],
    ["do without a NAT gateway", { nat: "none" }],
  ];
  const savings = (ask, total) => [
    ...CHANGES,
    ["halve the memory of a server", { memory: Math.max(MEMORY[0], ask.memory / 2) }],
    ["halve the home directories", { homes: ask.homes / 2 }],
  ].map(([what, change]) => [what, total - answer({ ...ask, ...change }).total])
    .filter(([, saved]) => saved >= 1).sort((a, b) => b[1] - a[1]);

  const alternatives = (ask) => {
    const at = interpolate(ask.style, ask.people, ask.memory, 0, "servers_at_once");
    const gib = Math.max(4, at * ask.memory), level = ask.region / 100;
    return [
      ["one machine with The Littlest JupyterHub, on day and night, sized for the most servers at once",
        level * lasts(ask) * (HOURS * gib * prices["machine-gib-hour"] + prices["core-disk-month"])],
      ["the same machine for forty hours a week",
        level * ((lasts(ask) < 1 ? 1 : 4.35) * 40 * gib * prices["machine-gib-hour"]
        + lasts(ask) * prices["core-disk-month"])],
      ["Dask on Coiled, beside the machines in your account",
        ask.dask * (prices["coiled-core-hour"] + level * prices["dask-core-hour"])],
      ["mybinder.org, for public notebooks within its limits", 0],
    ];
  };

  const money = (usd) => `${usd.toLocaleString("en-US", {
    minimumFractionDigits: usd < 100 ? 2 : 0, maximumFractionDigits: usd < 100 ? 2 : 0 })} USD`;
  const fill = (id, lines) => {
    const body = document.querySelector(`#${id} tbody`);
    body.replaceChildren(...lines.map((line) => {
      const row = document.createElement("tr");
      line.forEach((text, i) => {
        const cell = document.createElement(i ? "td" : "th");
        if (!i) cell.scope = "row";
        cell.textContent = text;
        row.append(cell);
      });
      return row;
    }));
  };

  const NUMBERS = ["people", "memory", "homes", "wait", "dask", "gpu", "region", "budget"];
  const read = () => {
    const ask = Object.fromEntries(new FormData(form));
    for (const name of NUMBERS) {
      const field = form.elements[name];
      const value = Number(ask[name]);
      ask[name] = Number.isFinite(value)
        ? Math.min(Math.max(value, Number(field.min)), Number(field.max)) : Number(field.defaultValue);
    }
    return ask;
  };
  let shown = [];
  const show = () => {
    const ask = read(), got = answer(ask);
    for (const place of document.querySelectorAll(".calculator-period")) {
      place.textContent = lasts(ask) < 1 ? "for the five days" : "per month";
    }
    document.getElementById("calculator-total").textContent = money(got.total);
    document.getElementById("calculator-person").textContent = money(got.total / ask.people);
    document.getElementById("calculator-floor").textContent = money(got.floor);
    document.getElementById("calculator-wait").textContent = got.served
      ? `95 of 100 servers start within ${Math.round(got.way.wait)} s`
      : `no choice here is that quick: 95 of 100 servers start within ${Math.round(got.way.wait)} s`;
    document.getElementById("calculator-supported").textContent = supported(ask);
    shown = got.parts.filter((part) => part[1] > 0);
    fill("calculator-parts", shown.map(([part, usd]) => [part, money(usd)]));
    fill("calculator-savings", savings(ask, got.total).map(([what, usd]) => [what, money(usd)]));
    fill("calculator-others", alternatives(ask).map(([what, usd]) => [what, money(usd)]));
    const state = new URLSearchParams(Object.entries(ask).map(([k, v]) => [k, String(v)]));
    history.replaceState(null, "", `#${state}`);
  };
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    if (form.elements[name]) form.elements[name].value = value;
  }
  document.getElementById("calculator-csv").addEventListener("click", () => {
    const unit = lasts(read()) < 1 ? "usd_for_five_days" : "usd_per_month";
    const text = [`part,${unit}`, ...shown.map(([part, usd]) =>
      `"${part}",${usd.toFixed(2)}`)].join("\n") + "\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = "hub-cost.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  });
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
})();
