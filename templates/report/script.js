'use strict';
(() => {
  /* Titles of pictures as a tip at once, by pointer or touch; without this script browsers show them after a while. */
  const tip = document.createElement('div');
  tip.id = 'tip';
  tip.hidden = true;
  document.body.append(tip);
  const titled = node => {
    for (let n = node; n && n.nodeName !== 'svg'; n = n.parentNode) {
      const title = n.querySelector && n.querySelector(':scope > title');
      if (title) return title.textContent;
    }
    return '';
  };
  const show = event => {
    const text = event.target.closest && event.target.closest('svg') ? titled(event.target) : '';
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    tip.style.left = Math.max(4, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 4)) + 'px';
    const below = event.clientY + 16;
    tip.style.top = (below + tip.offsetHeight < innerHeight ? below : event.clientY - tip.offsetHeight - 8) + 'px';
  };
  addEventListener('pointermove', show);
  addEventListener('pointerdown', show);
  addEventListener('scroll', () => { tip.hidden = true; }, true);

  /* Tables that can be sorted by the figures of a column. */
  const value = (row, i) => {
    const cell = row.cells[i];
    const number = parseFloat(cell.dataset.value ?? cell.textContent.replace(/,/g, ''));
    return Number.isNaN(number) ? cell.textContent : number;
  };
  const sort = (table, head, i) => {
    const down = head.getAttribute('aria-sort') !== 'descending';
    for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const sign = down ? -1 : 1;
    const rows = [...table.tBodies[0].rows].map(row => [value(row, i), row]);
    rows.sort(([a], [b]) => sign * (a < b ? -1 : a > b ? 1 : 0));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll('table.sortable')) {
    [...table.tHead.rows[0].cells].forEach((head, i) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => sort(table, head, i));
    });
  }
})();
