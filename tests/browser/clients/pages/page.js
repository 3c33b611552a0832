/** Add the data of an event to the log of the page. */
export function log({ data }) {
  document.querySelector("#log").append(`${data}\n`);
}

/** Tell the test that the client has given up. */
export function showStopped() {
  document.title = "stopped";
}
