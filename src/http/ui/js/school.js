// Lists that many screens need, asked for once: classes, subjects, members.

import * as api from "./api.js";

const kept = new Map();

function once(key, ask) {
  if (!kept.has(key)) {
    const answer = ask();
    answer.catch(() => kept.delete(key));
    kept.set(key, answer);
  }
  return kept.get(key);
}

/** All classes that the person may see, by name. */
export const classes = () => once("classes", () => api.all("/classes"));
export const subjects = () => once("subjects", () => api.get("/subjects").then(({ items }) => items));
/** Who is in a class on a day (`YYYY-MM-DD`; today without one), by roll number. */
export const members = (id, on) => once(`members ${id} ${on ?? ""}`, () => api.get(`/classes/${id}/members`, { on }).then(({ items }) => items));

/** After a change, or when somebody else signs in. */
export const forget = () => kept.clear();

export const className = ({ name, section }) => (section ? `${name} ${section}` : name);

export async function classById(id) {
  return (await classes()).find((item) => item.id === Number(id));
}
