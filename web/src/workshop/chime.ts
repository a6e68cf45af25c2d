/** Two soft tones, in hertz. */
const TONES = [660, 880];
const TONE_SECONDS = 0.9;
const APART_SECONDS = 0.22;
const LOUDNESS = 0.12;

/** A short, soft sound; nothing where the browser allows none. */
export function chime(): void {
  try {
    const context = new AudioContext();
    const from = context.currentTime;
    for (const [at, tone] of TONES.entries()) {
      const begins = from + at * APART_SECONDS;
      const source = new OscillatorNode(context, { frequency: tone });
      const volume = new GainNode(context, { gain: 0 });
      volume.gain.setValueAtTime(0, begins);
      volume.gain.linearRampToValueAtTime(LOUDNESS, begins + 0.03);
      volume.gain.exponentialRampToValueAtTime(0.0001, begins + TONE_SECONDS);
      source.connect(volume).connect(context.destination);
      source.start(begins);
      source.stop(begins + TONE_SECONDS);
      if (at === TONES.length - 1) source.onended = () => void context.close();
    }
  } catch {
    // The announcement is enough.
  }
}
