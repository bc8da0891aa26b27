// Lists that many screens need, asked for once in a while: classes, subjects, members.

import * as api from "./api.js";
import { Answers } from "./answers.js";

const kept = new Answers();

/** All classes that the person may see, by name. */
export const classes = () => kept.once("classes", () => api.all("/classes"));
export const subjects = () => kept.once("subjects", () => api.get("/subjects").then(({ items }) => items));
/** Who is in a class on a day (`YYYY-MM-DD`; today without one), by roll number. */
export const members = (id, on) =>
  kept.once(`members ${id} ${on ?? ""}`, () => api.get(`/classes/${id}/members`, { on }).then(({ items }) => items));

/** After a change, or when somebody else signs in. */
export const forget = () => kept.forget();

export const className = ({ name, section }) => (section ? `${name} ${section}` : name);

/** With its term, where classes of several stand side by side. */
export const nameInTerm = (item) => (item.term ? `${className(item)} (${item.term})` : className(item));
