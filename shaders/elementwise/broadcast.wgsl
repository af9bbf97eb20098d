// y[i] = f(a[i], b[i]) or f(a[i], b[i], c[i]) where operands are repeated along axes on which they have extent 1, or are one number:
//   copy       a            add a + b   subtract    a − b        multiply    a · b        divide    a / b
//   maximum, minimum                 the larger, the smaller of a and b, NaN where one is
//   maximum_slope, minimum_slope     c where y is a, c/2 where a = b, else 0; c with NaN
//   equal, not_equal, less, less_or_equal, greater, at_least (a ≥ b)    1 where it is so, else 0; with NaN only not_equal is so
//   and, or, xor                     1 where it is so of a ≠ 0 and b ≠ 0, else 0; NaN ≠ 0
//   where                            a where c ≠ 0, else b
//
// One invocation makes one element of y, of the operands of elementwise/operands. OP: one of the names above.   WORKGROUP: invocations of
// a workgroup.
//#use elementwise/operands

fn one_where(so: Truth) -> Result {
  return select(Result(), Result(1), so);
}

//#if OP == where
fn holds(v: Condition) -> Truth {
  //#if C_TYPE == f
  return (bitcast<Words>(v) & Words(0x7fffffffu)) != Words();
  //#else
  return v != Condition();
  //#end
}
//#end

@compute @workgroup_size({{WORKGROUP}})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.x + id.y * (groups.x * {{WORKGROUP}}u);
  if (index >= params.count) {
    return;
  }
  let given = operands_at(index);
  let left = given.left;
  let right = given.right;
  let third = given.third;
  //#if OP == copy
  y[index] = left;
  //#end
  //#if OP == add
  y[index] = left + right;
  //#end
  //#if OP == subtract
  y[index] = left - right;
  //#end
  //#if OP == multiply
  y[index] = left * right;
  //#end
  //#if OP == divide
  y[index] = left / right;
  //#end
  let no_number = is_nan(left) | is_nan(right);
  //#if OP == maximum
  y[index] = select(select(right, left, left > right), left, is_nan(left));
  //#end
  //#if OP == minimum
  y[index] = select(select(right, left, left < right), left, is_nan(left));
  //#end
  //#if OP == maximum_slope
  y[index] = select(select(select(third, 0.5 * third, left == right), Result(), left < right), third, no_number);
  //#end
  //#if OP == minimum_slope
  y[index] = select(select(select(third, 0.5 * third, left == right), Result(), left > right), third, no_number);
  //#end
  //#if OP == equal
  y[index] = one_where((left == right) & !no_number);
  //#end
  //#if OP == not_equal
  y[index] = one_where((left != right) | no_number);
  //#end
  //#if OP == less
  y[index] = one_where((left < right) & !no_number);
  //#end
  //#if OP == less_or_equal
  y[index] = one_where((left <= right) & !no_number);
  //#end
  //#if OP == greater
  y[index] = one_where((left > right) & !no_number);
  //#end
  //#if OP == at_least
  y[index] = one_where((left >= right) & !no_number);
  //#end
  let left_holds = words(left) != Words();
  let right_holds = words(right) != Words();
  //#if OP == and
  y[index] = one_where(left_holds & right_holds);
  //#end
  //#if OP == or
  y[index] = one_where(left_holds | right_holds);
  //#end
  //#if OP == xor
  y[index] = one_where(left_holds != right_holds);
  //#end
  //#if OP == where
  y[index] = select(right, left, holds(third));
  //#end
}
