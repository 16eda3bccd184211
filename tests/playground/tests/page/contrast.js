// The texts that stand out less than WCAG's level AA wants, each with its contrast.
const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** Whatever way the browser writes a colour. */
function colour(text) {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = text;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
}

function above([red, green, blue, alpha], below) {
  const mixed = [red, green, blue].map((it, index) => it * alpha + below[index] * (1 - alpha));
  return [...mixed, 1];
}

function parents(element) {
  const found = [];
  for (let it = element; it; it = it.parentElement) found.unshift(getComputedStyle(it));
  return found;
}

function luminance(parts) {
  const [red, green, blue] = parts.map((part) => {
    const it = part / 255;
    return it <= 0.03928 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const weak = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const text = texts.currentNode.textContent.trim();
  const element = texts.currentNode.parentElement;
  if (text === "" || element.closest(".hidden, .skip, [hidden], option")) continue;
  const styles = parents(element);
  const ground = styles.reduce((below, it) => above(colour(it.backgroundColor), below), [255, 255, 255, 1]);
  const opacity = styles.reduce((product, it) => product * it.opacity, 1);
  const [red, green, blue] = above(colour(getComputedStyle(element).color), ground);
  const ink = above([red, green, blue, opacity], ground);
  const [light, dark] = [luminance(ink), luminance(ground)].sort((one, other) => other - one);
  const contrast = (light + 0.05) / (dark + 0.05);
  if (contrast < 4.5) weak.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
}
return weak;
