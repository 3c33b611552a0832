// A link on another site leads to this page even with a session, because the browser withholds the
// cookie from that request. The browser sends the cookie with requests of this page.

const answer = await fetch(new URL("../api/session", import.meta.url)).catch(() => null);
if (answer?.ok && (await answer.json()).signed_in) {
  const page = document.querySelector("[name=next]").value;
  location.replace(new URL(`../..${page}`, import.meta.url));
}
