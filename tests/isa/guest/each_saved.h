// clang-format off
/* For assembly: `op` (sd or ld) for each register that a called function keeps, in 128 bytes at sp. */
    .macro  each_saved op
    \op     ra, 0(sp)
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    \op     s\n, (8 + 8 * \n)(sp)
    .endr
    \op     gp, 104(sp)
    \op     tp, 112(sp)
    .endm
