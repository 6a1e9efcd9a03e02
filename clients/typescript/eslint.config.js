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
      "no-console": "off",
      // Texts hold numbers here and there, which print as one expects.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/node.ts"],
    rules: { "@typescript-eslint/no-restricted-imports": ["error", { patterns: [node] }] },
  },
  { files: ["**/*.mjs", "**/*.js"], ...tseslint.configs.disableTypeChecked },
);
