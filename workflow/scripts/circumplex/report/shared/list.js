
"use strict";
// Searches the rows of the list by name and problem, and sorts them. Rows without a value come last.
(() => {
  const list = document.getElementById("list");
  const body = list.tBodies[0];
  const rows = [...body.rows];
  const search = document.getElementById("search");
  const count = document.getElementById("count");
  const texts = new Map(rows.map((row) => {
    const cells = [...row.querySelectorAll("th, .warning")];
    return [row, cells.map((cell) => cell.textContent).join(" ").toLowerCase()];
  }));

  function filter() {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !texts.get(row).includes(wanted);
      shown += !row.hidden;
    }
    count.textContent = shown === rows.length ? "" : `${shown} of ${rows.length}`;
  }

  function valueOf(row, key) {
    const cell = row.querySelector(`[data-key="${key}"]`);
    if (!cell) return null;
    if (key === "name") return cell.textContent;
    return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
  }

  function compare(a, b) {
    if (typeof a === "string") return a.localeCompare(b, undefined, {numeric: true});
    return a - b;
  }

  function sort(head) {
    const falling = head.getAttribute("aria-sort") === "ascending";
    const key = head.dataset.key;
    for (const other of list.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const keyed = rows.map((row) => [valueOf(row, key), row]);
    keyed.sort(([a, first], [b, second]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = falling ? compare(b, a) : compare(a, b);
      return order || first.dataset.order - second.dataset.order;
    });
    body.append(...keyed.map(([, row]) => row));
  }

  for (const button of list.querySelectorAll(".sorter")) {
    button.addEventListener("click", () => sort(button.parentElement));
  }
  search.addEventListener("input", filter);
  filter();
})();
