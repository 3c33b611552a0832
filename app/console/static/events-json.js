// JSON whose numbers stay as they are written, even if JavaScript would round them.

/** Parse JSON. What the result holds for such a number is for JSON.stringify only. */
export function parseExactly(text) {
  return JSON.parse(text, (_, value, context) => {
    const isNumber = typeof value === "number" && JSON.rawJSON !== undefined;
    return isNumber && context?.source ? JSON.rawJSON(context.source) : value;
  });
}
