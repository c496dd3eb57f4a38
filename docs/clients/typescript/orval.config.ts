export default {
  petstore: {
    input: "./openapi.yaml",
    output: {
      client: "fetch",
      target: "./orval/petstore.ts",
      override: { mutator: { path: "./fetch.ts", name: "petstoreFetch", extension: ".js" } },
    },
  },
};
