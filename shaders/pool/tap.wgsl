// An Element, and the numbers of taps for each of its channels.
//#use number/element
//#if VECTOR
alias Tap = vec4u;
//#else
alias Tap = u32;
//#end
