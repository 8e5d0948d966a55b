/* Every operation on floats is rounded on its own, on any core and at any level of optimization, so that results are
 * the same bits everywhere: no product and sum may be fused into one operation. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#define MCU_FLOAT
#elif defined(__GNUC__)
#define MCU_FLOAT __attribute__((optimize("fp-contract=off")))
#else
#define MCU_FLOAT
#endif
