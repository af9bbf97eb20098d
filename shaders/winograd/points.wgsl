// The points of winograd/input.wgsl and a line of a tile.
alias Line = array<f32, {{SIZE}}>;

//#if SIZE == 6
const A = 0.625;
const B = 1.5;
//#end
