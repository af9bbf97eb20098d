// The sum of the numbers of an Element.
//#use number/element
fn total(v: Element) -> f32 {
  //#if VECTOR
  return dot(v, vec4f(1.0));
  //#else
  return v;
  //#end
}
