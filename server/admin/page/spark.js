// A sparkline: the last values of something as a small line on a canvas, without axes.

const lengthMax = 60; // values kept

export class Spark {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.values = [];
  }

  push(value) {
    this.values.push(value);
    if (this.values.length > lengthMax) this.values.shift();
  }

  // draw paints the line over the whole canvas, from the lowest value to the highest, or from floor where one is given.
  draw(color, floor) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.canvas.clientWidth * ratio);
    const height = Math.round(this.canvas.clientHeight * ratio);
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;

    const c = this.context;
    c.clearRect(0, 0, width, height);
    if (this.values.length < 2 || width === 0) return;
    const low = floor ?? Math.min(...this.values);
    const span = Math.max(...this.values) - low || 1;
    const step = width / (lengthMax - 1);
    const start = width - (this.values.length - 1) * step; // the newest stands at the right edge
    const y = (value) => height - ratio - ((value - low) / span) * (height - 2 * ratio);
    c.beginPath();
    this.values.forEach((value, i) => c.lineTo(start + i * step, y(value)));
    c.strokeStyle = color;
    c.lineWidth = 1.5 * ratio;
    c.lineJoin = 'round';
    c.stroke();
  }
}
