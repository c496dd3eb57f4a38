/*
 * What this page changes of Swagger UI, beside its look. Each piece is a few lines that can be left out by itself.
 */
const PetstorePlugin = ({ React }) => {
  const h = React.createElement;
  nameControls(document.querySelector("#swagger-ui"));

  return {
    // A form begins with what the contract gives as examples, not with "string" in each field.
    afterLoad() {
      const sample = this.fn.getSampleSchema;
      this.fn.getSampleSchema = (schema, mediaType, ...rest) => {
        if (mediaType !== false) return sample(schema, mediaType, ...rest); // it is false for a field of a form
        const { type, example, examples } = schema.toJS?.() ?? schema;
        return example ?? examples?.[0] ?? (type === "array" ? "[]" : "");
      };
    },

    statePlugins: {
      spec: {
        wrapActions: {
          // The server is the one that this page comes from, whatever prefix it has there.
          updateJsonSpec: (original) => (contract) =>
            original({ ...contract, servers: [{ ...contract.servers[0], url: new URL("..", location.href).href.replace(/\/$/, "") }] }),
        },
      },
    },

    wrapComponents: {
      // A field that is left empty is left out.
      ParameterIncludeEmpty: () => () => null,

      // 202 comes first: it is what slow work is answered with, unless the client prefers to wait.
      responses: (Original) => (props) => h(Original, { ...props, responses: props.responses.sortBy((_, code) => (code === "202" ? 0 : 1)) }),

      // A picture as a data: URL, since the page's Content-Security-Policy allows no blob:.
      responseBody: (Original) => (props) =>
        props.content instanceof Blob && props.contentType?.startsWith("image/") ? h(Picture, props) : h(Original, props),

      // An operation's name is a button; a link in it could not be reached. The address bar follows what is open.
      DeepLink: () => ({ text }) => h("span", null, text),
    },
  };

  function Picture({ content, url }) {
    const [source, setSource] = React.useState();
    React.useEffect(() => {
      const reader = new FileReader();
      reader.onload = () => setSource(reader.result);
      reader.readAsDataURL(content);
      return () => reader.abort();
    }, [content]);
    return h("div", null, h("h5", null, "Response body"), source && h("img", { src: source, alt: `The picture at ${url}` }));
  }
};

// nameControls gives names to controls that Swagger UI leaves without, for those who do not see where they stand, and lets the
// keyboard into what scrolls.
function nameControls(root) {
  const label = (text) => (element) => element.setAttribute("aria-label", text);
  const rules = [
    ["#servers", label("Server")],
    [".examples-select-element", label("Example")],
    [".body-param__text", label("Request body")],
    [".curl-command .copy-to-clipboard button", label("Copy the command")],
    [".highlight-code .copy-to-clipboard button", label("Copy")],
    ["tr[data-param-name] :is(input, select, textarea)", (e) => label(e.closest("tr").dataset.paramName)(e)],
    ["tr[data-property-name] :is(input, select, textarea)", (e) => label(e.closest("tr").dataset.propertyName)(e)],
    ["pre.microlight", (e) => e.setAttribute("tabindex", 0)],
  ];
  const apply = () => {
    scheduled = false;
    for (const [selector, name] of rules) root.querySelectorAll(`${selector}:not([data-named])`).forEach((e) => name(e) ?? (e.dataset.named = ""));
  };
  let scheduled = false;
  new MutationObserver(() => {
    if (!scheduled) setTimeout(apply);
    scheduled = true;
  }).observe(root, { childList: true, subtree: true });
}
