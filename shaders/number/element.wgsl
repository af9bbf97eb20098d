// What an invocation takes at a time: a vec4 with VECTOR, else one number.
//#if VECTOR
alias Element = vec4f;
//#else
alias Element = f32;
//#end
