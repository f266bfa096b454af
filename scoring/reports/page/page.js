"use strict";
const table = document.getElementById("rows");
const body = table.tBodies[0];
// A row with the answers in words belongs to the row above it.
const entries = [...body.rows].filter((row) => !row.classList.contains("said"))
  .map((row) => ({ row, said: row.nextElementSibling?.classList.contains("said") ? row.nextElementSibling : null }));

function sortBy(heading) {
  const name = heading.dataset.sort;
  const up = heading.getAttribute("aria-sort") === "descending";
  for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const compare = (one, other) => one.row.dataset[name].localeCompare(other.row.dataset[name], "en", { numeric: true });
  const numbers = (one, other) => Number(one.row.dataset[name]) - Number(other.row.dataset[name]);
  const all = entries.every(({ row }) => !Number.isNaN(Number(row.dataset[name])));
  const empty = ({ row }) => row.dataset[name] === "";
  // What has no figure comes last, whichever way.
  entries.sort((one, other) => empty(one) - empty(other) || (up ? 1 : -1) * (all ? numbers : compare)(one, other));
  body.append(...entries.flatMap(({ row, said }) => (said ? [row, said] : [row])));
}

const filters = document.getElementById("filters");
const columns = table.tHead.querySelectorAll("[data-column]");
if (columns.length) {
  const list = document.createElement("details");
  const summary = document.createElement("summary");
  summary.append("Choose columns");
  list.append(summary);
  for (const heading of columns) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    const show = () => { for (const row of table.rows) row.cells[heading.cellIndex].hidden = !box.checked; };
    box.checked = heading.dataset.column === "shown";
    box.addEventListener("change", show);
    label.append(box, ` ${heading.textContent}`);
    list.append(label);
    show();
  }
  filters.append(list);
}

for (const heading of table.tHead.querySelectorAll("[data-sort]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...heading.childNodes);
  button.addEventListener("click", () => sortBy(heading));
  heading.append(button);
}

const chosen = {};
for (const name of ["person", "label"]) {
  const heading = table.tHead.querySelector(`[data-sort=${name}]`);
  if (!heading) continue;
  const values = [...new Set(entries.map(({ row }) => row.dataset[name]))];
  if (values.length < 2 || values.length > 50) continue;
  values.sort((one, other) => one.localeCompare(other, "en", { numeric: true }));
  const label = document.createElement("label");
  const select = document.createElement("select");
  select.append(new Option("all", ""), ...values.map((value) => new Option(value, value)));
  select.addEventListener("change", () => {
    chosen[name] = select.value;
    for (const { row, said } of entries) {
      const hidden = Object.entries(chosen).some(([key, value]) => value && row.dataset[key] !== value);
      row.hidden = hidden;
      if (said) said.hidden = hidden;
    }
  });
  label.append(`${heading.textContent}: `, select);
  filters.append(label);
}
