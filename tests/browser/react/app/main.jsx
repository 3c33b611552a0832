// A page of the test: it uses the hooks, and counts the handlers that they have registered.
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { useStream, useTask, useVersion } from "./hooks.js";
import { stream } from "./stream.js";

const subscriptions = { made: 0, open: 0 };

function counted(subscribe) {
  return (...args) => {
    const stop = subscribe(...args);
    subscriptions.made += 1;
    subscriptions.open += 1;
    return () => {
      subscriptions.open -= 1;
      stop();
    };
  };
}

const task = stream.task.bind(stream);
stream.on = counted(stream.on.bind(stream));
stream.onState = counted(stream.onState.bind(stream));
stream.task = (id) => {
  const found = task(id);
  return { on: counted(found.on.bind(found)) };
};

function Task({ id }) {
  const { status, progress, result } = useTask(id);
  return (
    <p className="task">
      {status}, {progress?.value}, {result?.steps}
    </p>
  );
}

function App() {
  const state = useStream();
  const version = useVersion();
  const [tasks, setTasks] = useState([]);
  Object.assign(window, { setTasks });
  return (
    <main>
      <p id="state">{state}</p>
      <p id="version">{version?.version}</p>
      {tasks.map((id, index) => (
        <Task id={id} key={index} />
      ))}
    </main>
  );
}

let root;
Object.assign(window, {
  stream,
  subscriptions,
  mount() {
    root = createRoot(document.querySelector("#root"));
    root.render(
      <StrictMode>
        <App />
      </StrictMode>,
    );
  },
  unmount: () => root.unmount(),
});
