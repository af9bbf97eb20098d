// R, G, B of sRGB (IEC 61966-2-1) to CIE L*, a*, b* under D65 and back. L* is 0 to 100. What lies outside of sRGB is not clipped.

// x^(1/3) for x ≥ 0: a power, which adapters round loosely, and a step of Newton's method.
fn cube_root(x: vec3f) -> vec3f {
  let root = pow(max(x, vec3f(1e-20)), vec3f(1.0 / 3.0));
  return (2.0 * root + x / (root * root)) / 3.0;
}

fn to_linear(c: vec3f) -> vec3f {
  return select(c / 12.92, pow((max(c, vec3f()) + 0.055) / 1.055, vec3f(2.4)), c > vec3f(0.04045));
}

fn from_linear(c: vec3f) -> vec3f {
  return select(12.92 * c, 1.055 * pow(max(c, vec3f(1e-20)), vec3f(1.0 / 2.4)) - 0.055, c > vec3f(0.0031308));
}

fn lab_of(rgb: vec3f) -> vec3f {
  let c = to_linear(rgb);
  // X, Y, Z as shares of those of white: 0.95047, 1, 1.08883.
  let xyz = vec3f(
    dot(c, vec3f(0.4339463634, 0.3762138731, 0.1898250339)),
    dot(c, vec3f(0.212671, 0.71516, 0.072169)),
    dot(c, vec3f(0.0177566746, 0.1094688794, 0.8727046463)),
  );
  let f = select(7.787037037 * xyz + 16.0 / 116.0, cube_root(xyz), xyz > vec3f(0.008856451679));
  return vec3f(116.0 * f.y - 16.0, 500.0 * (f.x - f.y), 200.0 * (f.y - f.z));
}

fn rgb_of(lab: vec3f) -> vec3f {
  let y = (lab.x + 16.0) / 116.0;
  let f = vec3f(y + lab.y / 500.0, y, y - lab.z / 200.0);
  let xyz = select((f - 16.0 / 116.0) / 7.787037037, f * f * f, f > vec3f(6.0 / 29.0));
  return from_linear(vec3f(
    dot(xyz, vec3f(3.0799803023, -1.5371515163, -0.542821308)),
    dot(xyz, vec3f(-0.9212477523, 1.8759900015, 0.0452473395)),
    dot(xyz, vec3f(0.0528904611, -0.2040413384, 1.151232012)),
  ));
}
