export default function (config) {
  config.addPassthroughCopy("images");
  return { markdownTemplateEngine: "njk" };
}
