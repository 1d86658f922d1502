// WebKitGTK, driven over WebDriver: the small part of it that the tests need. It wants a screen, so Xvfb makes one.

import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createServer } from "node:net";

const LIBRARIES = "/usr/lib";

/** {driver, browser, screen}, or null where WebKitGTK is not installed. */
export function findWebKit() {
  const driver = onPath("WebKitWebDriver");
  const screen = onPath("Xvfb");
  const browser = miniBrowser();
  return driver && screen && browser ? { driver, browser, screen } : null;
}

/** {goto(url), evaluate(function, argument), close()} */
export async function launchWebKit({ driver, browser, screen }) {
  const display = `:${200 + (process.pid % 5000)}`;
  const port = await freePort();
  const programs = [spawn(screen, [display, "-screen", "0", "1024x768x24", "-nolisten", "tcp"], { stdio: "ignore" })];
  const environment = { ...process.env, DISPLAY: display, WEBKIT_DISABLE_COMPOSITING_MODE: "1", WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1" };
  programs.push(spawn(driver, [`--port=${port}`], { stdio: "ignore", env: environment }));
  const end = () => programs.forEach((program) => program.kill());
  const command = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}/session${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`WebKit: ${value.message || value.error}`);
    return value;
  };
  try {
    const options = { binary: browser, args: ["--automation"] };
    const wanted = { capabilities: { alwaysMatch: { "webkitgtk:browserOptions": options } } };
    const { sessionId } = await untilItAnswers(() => command("POST", "", wanted));
    const session = `/${sessionId}`;
    await command("POST", `${session}/timeouts`, { script: 180_000, pageLoad: 60_000 });
    return {
      goto: (url) => command("POST", `${session}/url`, { url }),
      evaluate: (act, argument) => evaluate((body) => command("POST", `${session}/execute/async`, body), act, argument),
      close: () => command("DELETE", session).catch(() => {}).then(end),
    };
  } catch (error) {
    end();
    throw error;
  }
}

async function evaluate(execute, act, argument = null) {
  const script = `const done = arguments[1];
Promise.resolve(arguments[0]).then(${act}).then((value) => done({ value }), (error) => done({ error: String(error) }));`;
  const { value, error } = await execute({ script, args: [argument] });
  if (error) throw new Error(error);
  return value ?? undefined;
}

/** The driver takes a moment to listen. */
async function untilItAnswers(act, attempts = 50) {
  try {
    return await act();
  } catch (error) {
    if (attempts === 0 || !(error instanceof TypeError)) throw error;
    await new Promise((later) => setTimeout(later, 100));
    return untilItAnswers(act, attempts - 1);
  }
}

function freePort() {
  return new Promise((found) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

function onPath(name) {
  return process.env.PATH.split(delimiter).map((folder) => join(folder, name)).find(existsSync);
}

function miniBrowser() {
  const folders = ["", ...(existsSync(LIBRARIES) ? readdirSync(LIBRARIES) : [])];
  const places = folders.flatMap((folder) => ["4.1", "4.0"].map((version) => join(LIBRARIES, folder, `webkit2gtk-${version}`, "MiniBrowser")));
  return places.find(existsSync);
}
