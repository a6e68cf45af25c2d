import type { Camera } from "./camera.svelte";

/** Makes a canvas as large as the window, in device pixels, and empties it. */
export function wiped(canvas: HTMLCanvasElement, camera: Camera): CanvasRenderingContext2D {
  const context = canvas.getContext("2d")!;
  const dense = devicePixelRatio;
  const [width, height] = [Math.round(camera.width * dense), Math.round(camera.height * dense)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  } else {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
  }
  context.setTransform(dense, 0, 0, dense, 0, 0);
  return context;
}
