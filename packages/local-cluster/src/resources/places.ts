import { isObject, type JsonObject } from "../json.ts";

/** One field in an object, there or not; what holds it is there. */
export interface Place {
  parent: JsonObject;
  field: string;
  /** As messages name it: `spec.containers[0].name`. */
  path: string;
}

/** All places that a pattern such as `spec.containers[].name` names in an object. */
export function placesAt(root: JsonObject, pattern: string): Place[] {
  let places: Place[] = [{ parent: { root }, field: "root", path: "" }];
  for (const step of pattern.split(".")) {
    const field = step.replace("[]", "");
    places = places.flatMap((place) => enter(place, field));
    if (field !== step) places = places.flatMap(itemsOf);
  }
  return places;
}

function enter({ parent, field, path }: Place, next: string): Place[] {
  const value = parent[field];
  return isObject(value) ? [{ parent: value, field: next, path: path === "" ? next : `${path}.${next}` }] : [];
}

function itemsOf({ parent, field, path }: Place): Place[] {
  const list = parent[field];
  if (!Array.isArray(list)) return [];
  return list.map((_, index) => ({ parent: Object(list), field: String(index), path: `${path}[${index}]` }));
}
