// The projects that have the package bundled: what each installs, in pinned versions, the files it is made of, how it is
// built, and what its maker has to write for obscura, which is nothing for most.

/**
 * name     as the table has it
 * packages of npm; the package of obscura comes to them
 * files    folders whose content is copied, below tests/ and examples/, and where to
 * build    the commands
 * site     the folder that is served then
 * atRoot   whether its addresses begin at the site's root
 * mounts   how often its component is mounted, where that is counted
 * setting  what the documentation has to say
 */
const page = ["tests/bundlers/page", "."];
const react = (folder) => [["tests/bundlers/react-app/picture.jsx", folder], ["examples/react/obscura.js", folder]];
const vite = (version, setting = null) => ({ name: `Vite ${version.split(".")[0]}`, packages: [`vite@${version}`], files: [page], build: ["npx vite build --base ./"], site: "dist", setting });

/** For bundlers that do not look for workers and files: obscura is left as it is, and an import map names it. */
const leftOut = (name, packages, command) => ({
  name,
  packages,
  files: [page, ["tests/bundlers/left-out", "."]],
  build: [command, "cp -r node_modules/obscura dist/obscura", "cp index.html dist/"],
  site: "dist",
  setting: "left out, named by an import map",
});

export const PROJECTS = [
  vite("8.4.0"),
  vite("7.3.8"),
  vite("6.4.6"),
  { name: "webpack", packages: ["webpack@5.113.0", "webpack-cli@7.3.1"], files: [page], build: ["npx webpack --mode production --entry ./main.js --output-filename main.js", "cp index.html dist/"], site: "dist" },
  leftOut("Rollup", ["rollup@4.68.8"], "npx rollup main.js --format=es --external=obscura --dir=dist"),
  leftOut("esbuild", ["esbuild@0.28.2"], "npx esbuild main.js --bundle --format=esm --external:obscura --outdir=dist"),
  {
    name: "Parcel",
    packages: ["parcel@2.16.4"],
    files: [page],
    manifest: { "@parcel/bundler-default": { minBundles: 100 } },
    build: ["npx parcel build index.html --public-url ./"],
    site: "dist",
    setting: '`"@parcel/bundler-default": { "minBundles": 100 }` in `package.json`',
  },
  {
    name: "Next.js, app router, static export",
    packages: ["next@16.4.6", "react@19.3.1", "react-dom@19.3.1"],
    files: [["tests/bundlers/next", "."], ...react("app")],
    build: ["npx next build"],
    site: "out",
    atRoot: true,
  },
  { name: "Astro", packages: ["astro@5.18.2"], files: [["tests/bundlers/astro", "."], ["tests/bundlers/page/main.js", "src"]], build: ["npx astro build"], site: "dist", atRoot: true },
  {
    name: "React in StrictMode, Vite",
    packages: ["react@19.3.1", "react-dom@19.3.1", "vite@7.3.8", "@vitejs/plugin-react@5.2.0"],
    files: [["tests/bundlers/react-app", "."], ...react(".")],
    build: ["NODE_ENV=development npx vite build --mode development"],
    site: "dist",
    mounts: 2,
  },
  {
    name: "Svelte, Vite",
    packages: ["svelte@5.57.3", "vite@8.4.0", "@sveltejs/vite-plugin-svelte@7.3.1"],
    files: [["tests/bundlers/svelte-app", "."], ["examples/svelte/captioned.js", "."]],
    build: ["npx vite build"],
    site: "dist",
  },
];
