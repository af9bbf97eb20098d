// The sum of the numbers of an Element.
//#use number/element
fn total(v: Element) -> f32 {
  //#if VECTOR
  // In this order on every adapter; that of dot() is the driver's.
  return ((v.x + v.y) + v.z) + v.w;
  //#else
  return v;
  //#end
}
