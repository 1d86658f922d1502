// Finding a circle among things that need each other.

/** The rooms of one circle, the first of them also at the end; null where there is none. `doors`: room -> those it needs. */
export function circle(doors, path = [...doors.keys()].map((room) => [room]), done = new Set()) {
  for (const trail of path) {
    const room = trail.at(-1);
    const before = trail.indexOf(room);
    if (before < trail.length - 1) return trail.slice(before);
    if (done.has(room)) continue;
    const found = circle(doors, [...(doors.get(room) ?? [])].map((next) => [...trail, next]), done);
    if (found) return found;
    done.add(room);
  }
  return null;
}
