// The body in three dimensions, in the world of the labels: neck at the origin, y up, torso facing +z, metres.
// It starts at the photo's own camera, where body and photo coincide, and can be turned from there.

import {
  AmbientLight, BufferAttribute, BufferGeometry, DirectionalLight, DoubleSide, Group, Line, LineBasicMaterial, LineLoop,
  LineSegments, Matrix4, Mesh, MeshBasicMaterial, MeshStandardMaterial, OrbitControls, PerspectiveCamera, Scene,
  SRGBColorSpace, Texture, Vector3, WebGLRenderer,
} from "./three.js";

const BODY = 0x5aaaff;
const BEHIND = 0.35;          // metres behind the neck where the photo stands
const SEE_THROUGH = 0.5;
const STEP = Math.PI / 6;

const line = (kind, points, color) =>
  new kind(new BufferGeometry().setFromPoints(points), new LineBasicMaterial({ color }));

export class Viewer {
  constructor(canvas) {
    this.canvas = canvas;
    this.renderer = new WebGLRenderer({ canvas, antialias: true });
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setClearColor(0x101113);
    this.scene = new Scene();
    this.scene.add(new AmbientLight(0xffffff, 0.55));
    this.camera = new PerspectiveCamera(8.8, 1, 0.05, 60);
    this.lamp = new DirectionalLight(0xffffff, 2.6);
    this.camera.add(this.lamp);
    this.lamp.position.set(-0.6, 1, 0.8);
    this.scene.add(this.camera, this.lamp.target);
    this.geometry = new BufferGeometry();
    this.body = new Mesh(this.geometry, new MeshStandardMaterial({ color: BODY, roughness: 0.75, transparent: true }));
    const nearest = new Mesh(this.geometry, new MeshBasicMaterial({ colorWrite: false }));
    nearest.renderOrder = 1;     // after the photo: of what one sees through only the nearest surface is drawn
    this.body.renderOrder = 2;
    this.body.add(nearest);
    this.scene.add(this.body, this.#dial());
    new ResizeObserver(() => this.#fit()).observe(canvas.parentElement);
  }

  // A circle on the height of the hips, with a long stroke to the torso's front (yaw 0) and short ones every 30°.
  #dial() {
    const dial = new Group();
    const at = (angle, radius) => new Vector3(Math.sin(angle) * radius, -0.55, Math.cos(angle) * radius);
    const ring = Array.from({ length: 72 }, (_, i) => at((i * Math.PI) / 36, 0.5));
    const strokes = Array.from({ length: 12 }, (_, i) => [at(i * STEP, 0.5), at(i * STEP, 0.46)]).flat();
    dial.add(line(LineLoop, ring, 0x667078), line(LineSegments, strokes, 0x667078));
    dial.add(line(Line, [at(0, 0), at(0, 0.72), at(0.06, 0.66), at(0, 0.72), at(-0.06, 0.66)], 0xf2a93b));
    return dial;
  }

  show(vertices, faces, cam2world, intrinsics, photo) {
    this.geometry.setIndex(new BufferAttribute(faces, 1));
    this.geometry.setAttribute("position", new BufferAttribute(vertices, 3));
    this.geometry.computeVertexNormals();
    this.geometry.computeBoundingSphere();
    this.#place(cam2world, intrinsics);
    this.#frustum(photo);
    this.toPhoto();
  }

  #place(c, k) {
    this.eye = new Vector3(c[3], c[7], c[11]);
    this.up = new Vector3(-c[1], -c[5], -c[9]);
    this.forward = new Vector3(c[2], c[6], c[10]);
    this.target = this.eye.clone().addScaledVector(this.forward, Math.max(0.5, -this.eye.dot(this.forward)));
    this.world = new Matrix4().set(...c);
    this.k = k;
    this.camera.fov = (2 * Math.atan(0.5 / k[4]) * 180) / Math.PI;
    this.camera.setViewOffset(1000, 1000, (0.5 - k[2]) * 1000, (0.5 - k[5]) * 1000, 1000, 1000);
  }

  // The photo on a plane behind the body, where its camera sees it, and the pyramid of that camera.
  #frustum(photo) {
    this.#discard(this.shot);
    const depth = this.eye.distanceTo(this.target) + BEHIND;
    const corner = (u, v) => new Vector3(((u - this.k[2]) / this.k[0]) * depth, ((v - this.k[5]) / this.k[4]) * depth, depth)
      .applyMatrix4(this.world);
    const [a, b, c, d] = [corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1)];
    const plane = new BufferGeometry().setFromPoints([a, b, c, d]);
    plane.setAttribute("uv", new BufferAttribute(new Float32Array([0, 1, 1, 1, 1, 0, 0, 0]), 2));
    plane.setIndex([0, 2, 1, 0, 3, 2]);
    const texture = new Texture(photo);
    texture.colorSpace = SRGBColorSpace;
    texture.needsUpdate = true;
    this.shot = new Group();
    this.shot.add(new Mesh(plane, new MeshBasicMaterial({ map: texture, side: DoubleSide })));
    this.shot.add(line(LineSegments, [a, b, c, d].flatMap((point) => [this.eye, point]), 0x4a525a));
    this.scene.add(this.shot);
  }

  #discard(group) {
    group?.traverse((part) => { part.geometry?.dispose(); part.material?.map?.dispose(); part.material?.dispose(); });
    group?.removeFromParent();
  }

  toggleBody() {
    this.body.visible = !this.body.visible;
    this.draw();
  }

  toPhoto() { this.#look(this.eye, this.up); }

  // From a yaw about the torso, degrees, level with the head.
  from(yaw) {
    const angle = (yaw * Math.PI) / 180;
    const away = this.eye.distanceTo(this.target);
    this.#look(new Vector3(Math.sin(angle), 0, Math.cos(angle)).multiplyScalar(away).add(this.target), new Vector3(0, 1, 0));
  }

  fromAbove() {
    const away = this.eye.distanceTo(this.target);
    this.#look(this.target.clone().add(new Vector3(0, away, 0.001)), new Vector3(0, 1, 0));
  }

  turn(steps) {
    const offset = this.camera.position.clone().sub(this.target).applyAxisAngle(new Vector3(0, 1, 0), steps * STEP);
    this.#look(this.target.clone().add(offset), new Vector3(0, 1, 0));
  }

  #look(eye, up) {
    this.controls?.dispose();
    this.camera.up.copy(up);
    this.camera.position.copy(eye);
    this.controls = new OrbitControls(this.camera, this.canvas);   // it takes `up` once, when it is made
    this.controls.target.copy(this.target);
    this.controls.minDistance = 0.4;
    this.controls.maxDistance = 30;
    this.controls.addEventListener("change", () => this.draw());
    this.controls.update();
    this.draw();
  }

  #fit() {
    const side = this.canvas.parentElement.clientWidth;
    if (!side) return;
    this.renderer.setSize(side, side, false);
    this.draw();
  }

  draw() {
    if (!this.shot) return;
    const moved = this.camera.position.clone().sub(this.target).normalize()
      .angleTo(this.eye.clone().sub(this.target).normalize());
    this.body.material.opacity = SEE_THROUGH + (1 - SEE_THROUGH) * Math.min(1, moved / 0.5);
    this.renderer.render(this.scene, this.camera);
  }
}
