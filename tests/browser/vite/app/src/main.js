import { stream } from "./stream.js";

const connection = document.querySelector("#connection");
const version = document.querySelector("#version");

stream.onState((state) => {
  connection.textContent = state;
});
stream.on("version", (data) => {
  version.textContent = data.version;
});

// For the test.
Object.assign(window, { stream });
