// Offers to show the times by the visitor's own clock. Never switches by itself; the select does the same.
const hint = document.querySelector("[data-zone]");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

if (hint && zone) {
  const moment = new Date(hint.dataset.moment);
  const clock = (timeZone) => moment.toLocaleString("de", { timeZone });
  if (clock(zone) !== clock(hint.dataset.zone)) {
    const address = new URL(location.href);
    address.searchParams.set("tz", zone);
    const link = hint.querySelector("a");
    link.querySelector("span").textContent = zone.split("/").pop().replaceAll("_", " ");
    link.href = address.href;
    link.hidden = false;
  }
}
