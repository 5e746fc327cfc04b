#!/bin/sh
# Bundles the parts of three.js (MIT) that the review page uses into phq/review/static/three.js, with its licence beside
# it. Needs npm and the network; the page needs neither.
set -eu
three=0.187.0
esbuild=0.28.2
static=$(cd "$(dirname "$0")/../phq/view/review/static" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y >/dev/null
npm install --silent "three@$three" "esbuild@$esbuild"
cat >parts.js <<'PARTS'
export {
  AmbientLight, BufferAttribute, BufferGeometry, DirectionalLight, DoubleSide, Group, Line, LineBasicMaterial, LineLoop,
  LineSegments, Matrix4, Mesh, MeshBasicMaterial, MeshStandardMaterial, PerspectiveCamera, Scene, SRGBColorSpace,
  Texture, Vector3, WebGLRenderer,
} from "three";
export { OrbitControls } from "three/addons/controls/OrbitControls.js";
PARTS
node_modules/.bin/esbuild parts.js --bundle --minify --format=esm --target=es2022 --legal-comments=inline \
  --outfile="$static/three.js"
cp node_modules/three/LICENSE "$static/three.LICENSE"
