import { forgetWidths } from "./text_size";

/** Whether the page's own font is there: until then widths are another font's. */
class Fonts {
  loaded = $state(0);

  constructor() {
    document.fonts.addEventListener("loadingdone", () => {
      forgetWidths();
      this.loaded += 1;
    });
  }
}

export const fonts = new Fonts();
