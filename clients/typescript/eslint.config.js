// What the code of this package keeps to, beside the compiler's own strictness.
import tseslint from "typescript-eslint";

const node = { group: ["node:*", "@connectrpc/connect-node"], message: "Only ./node may need Node." };

export default tseslint.config(
  { ignores: ["build/", "dist/", "src/gen/"] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ["eslint.config.js", "scripts/*.mjs"] } },
    },
    rules: {
      // Tests are begun by their names, and awaited by their runner.
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafeCalls: [{ from: "package", package: "node:test", name: "test" }] },
      ],
      // Numbers print as one expects.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/node.ts"],
    rules: { "@typescript-eslint/no-restricted-imports": ["error", { patterns: [node] }] },
  },
  {
    // What is read from a file is of the type its reader says.
    files: ["test/vectors.ts"],
    rules: { "@typescript-eslint/no-unnecessary-type-parameters": "off" },
  },
  { files: ["**/*.mjs", "**/*.js"], ...tseslint.configs.disableTypeChecked },
);
