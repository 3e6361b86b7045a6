// Zkne, Zknd, Zknh, Zksed and Zksh: AES, SHA-2, SM4 and SM3.
#pragma once

#include "emulator/guest/riscv/translate/cipher_functions.h"
#include "emulator/guest/riscv/translate/semantics.h"
#include "emulator/guest/riscv/translate/semantics_bitmanip.h"

namespace weft::riscv::semantics {

namespace detail {

// `x` rotated to the right by two distances, and a third time or, with `shift`, shifted; all added without carries.
auto mix_rotations(auto& b, auto x, auto first, auto second, auto third, bool shift) {
    const auto last = shift ? b.op(op<ir::Opcode::shr>, x, third) : b.op(op<ir::Opcode::rotr>, x, third);
    return b.xor_(b.xor_(b.op(op<ir::Opcode::rotr>, x, first), b.op(op<ir::Opcode::rotr>, x, second)), last);
}

enum class Third : uint8_t { rotated, shifted };

void sha256(auto& t, const Insn& insn, unsigned first, unsigned second, unsigned third, Third how) {
    if (insn.rd != 0) {
        auto& b = t.b();
        t.set_x_word(insn.rd, mix_rotations(b, b.extrl_i64_i32(t.x(insn.rs1)), b.imm32(first),
                                            b.imm32(second), b.imm32(third), how == Third::shifted));
    }
}

void sha512(auto& t, const Insn& insn, unsigned first, unsigned second, unsigned third, Third how) {
    if (insn.rd != 0) {
        auto& b = t.b();
        t.set_x(insn.rd, mix_rotations(b, t.x(insn.rs1), b.imm(first), b.imm(second), b.imm(third),
                                       how == Third::shifted));
    }
}

// rs1's word and what the byte of rs2 that the immediate selects contributes.
void sm4(auto& t, const Insn& insn, HelperId helper, auto function) {
    if (insn.rd != 0) {
        auto& b = t.b();
        const auto position = 8 * static_cast<unsigned>(insn.imm);
        const auto byte = b.extract(t.x(insn.rs2), position, 8);
        t.set_x_word(insn.rd, b.xor_(t.pure(helper, function, byte, b.imm(position)), t.x(insn.rs1)));
    }
}

}  // namespace detail

// ---- Zkne, Zknd ----

void aes64es(auto& t, const Insn& insn) {
    detail::pure_function(t, insn, kHelperAesEncryptLast, aes_encrypt_last);
}
void aes64esm(auto& t, const Insn& insn) {
    detail::pure_function(t, insn, kHelperAesEncryptMiddle, aes_encrypt_middle);
}
void aes64ds(auto& t, const Insn& insn) {
    detail::pure_function(t, insn, kHelperAesDecryptLast, aes_decrypt_last);
}
void aes64dsm(auto& t, const Insn& insn) {
    detail::pure_function(t, insn, kHelperAesDecryptMiddle, aes_decrypt_middle);
}

void aes64im(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        t.set_x(insn.rd, t.pure(kHelperAesInverseMix, aes_inverse_mix, t.x(insn.rs1), t.b().imm(0)));
    }
}

void aes64ks1i(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        const auto round = t.b().imm(static_cast<uint64_t>(insn.imm));
        t.set_x(insn.rd, t.pure(kHelperAesKeyWord, aes_key_word, t.x(insn.rs1), round));
    }
}

// Two words of the key schedule, from the one before them, in rs1's upper half, and those a round ago.
void aes64ks2(auto& t, const Insn& insn) {
    if (insn.rd != 0) {
        auto& b = t.b();
        const auto first = b.xor_(b.shr(t.x(insn.rs1), b.imm(32)), t.x(insn.rs2));
        const auto second = b.xor_(first, b.shr(t.x(insn.rs2), b.imm(32)));
        t.set_x(insn.rd, op<ir::Opcode::or_>, b.extract(first, 0, 32), b.shl(second, b.imm(32)));
    }
}

// ---- Zknh: FIPS 180-4, 4.1.2 and 4.1.3 ----

void sha256sum0(auto& t, const Insn& insn) { detail::sha256(t, insn, 2, 13, 22, detail::Third::rotated); }
void sha256sum1(auto& t, const Insn& insn) { detail::sha256(t, insn, 6, 11, 25, detail::Third::rotated); }
void sha256sig0(auto& t, const Insn& insn) { detail::sha256(t, insn, 7, 18, 3, detail::Third::shifted); }
void sha256sig1(auto& t, const Insn& insn) { detail::sha256(t, insn, 17, 19, 10, detail::Third::shifted); }
void sha512sum0(auto& t, const Insn& insn) { detail::sha512(t, insn, 28, 34, 39, detail::Third::rotated); }
void sha512sum1(auto& t, const Insn& insn) { detail::sha512(t, insn, 14, 18, 41, detail::Third::rotated); }
void sha512sig0(auto& t, const Insn& insn) { detail::sha512(t, insn, 1, 8, 7, detail::Third::shifted); }
void sha512sig1(auto& t, const Insn& insn) { detail::sha512(t, insn, 19, 61, 6, detail::Third::shifted); }

// ---- Zksh: GB/T 32905-2016, 4.4; the permutations rotate to the left. ----

void sm3p0(auto& t, const Insn& insn) { detail::sha256(t, insn, 32 - 9, 32 - 17, 0, detail::Third::rotated); }
void sm3p1(auto& t, const Insn& insn) {
    detail::sha256(t, insn, 32 - 15, 32 - 23, 0, detail::Third::rotated);
}

// ---- Zksed ----

void sm4ed(auto& t, const Insn& insn) { detail::sm4(t, insn, kHelperSm4Round, sm4_round); }
void sm4ks(auto& t, const Insn& insn) { detail::sm4(t, insn, kHelperSm4KeyRound, sm4_key_round); }

}  // namespace weft::riscv::semantics
