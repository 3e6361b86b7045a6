// What extensions ask of each other: a set that was wished for becomes one that a CPU can have.
#pragma once

#include <optional>

#include "emulator/guest/riscv/isa/extensions.h"

namespace weft::riscv {

// Whoever has `extension` has all of `needs` (unprivileged and privileged specification, the extensions' chapters).
struct Implication {
    Extension extension;
    ExtensionSet needs;
};

// `extension` is there where all, or any, of `of` are.
struct Derivation {
    enum class Rule : uint8_t { all, any };
    Extension extension;
    Rule rule;
    ExtensionSet of;
};

inline constexpr auto kImplications = std::to_array<Implication>({
    {Extension::m, {Extension::zmmul}},
    {Extension::a, {Extension::zaamo, Extension::zalrsc}},
    {Extension::f, {Extension::zicsr}},
    {Extension::d, {Extension::f}},
    {Extension::zfa, {Extension::f}},
    {Extension::zfh, {Extension::zfhmin}},
    {Extension::zfhmin, {Extension::f}},
    {Extension::c, {Extension::zca}},
    {Extension::zcd, {Extension::zca, Extension::d}},
    {Extension::b, {Extension::zba, Extension::zbb, Extension::zbs}},
    {Extension::zkn,
     {Extension::zbkb, Extension::zbkc, Extension::zbkx, Extension::zkne, Extension::zknd, Extension::zknh}},
    {Extension::zks, {Extension::zbkb, Extension::zbkc, Extension::zbkx, Extension::zksed, Extension::zksh}},
    {Extension::zkr, {Extension::zicsr}},
    {Extension::smepmp, {Extension::pmp}},
    {Extension::zicntr, {Extension::zicsr}},
    {Extension::zihpm, {Extension::zicsr}},
    {Extension::zabha, {Extension::zaamo}},
    {Extension::zacas, {Extension::zaamo}},
    {Extension::zawrs, {Extension::zalrsc}},
    {Extension::ziccamoa, {Extension::zaamo}},
    {Extension::ziccrse, {Extension::zalrsc}},
    {Extension::za64rs, {Extension::zalrsc}},
    {Extension::zcb, {Extension::zca}},
    {Extension::zcmop, {Extension::zca, Extension::zimop}},
    // One is the other as M mode sees it.
    {Extension::smstateen, {Extension::ssstateen}},
    {Extension::ssstateen, {Extension::s, Extension::smstateen}},
    {Extension::smcntrpmf, {Extension::zicntr}},
    {Extension::smnpm, {Extension::u}},
    // What a program, or a supervisor, has by the others.
    {Extension::sspm, {Extension::smnpm, Extension::s}},
    {Extension::supm, {Extension::ssnpm}},
    {Extension::sscofpmf, {Extension::s, Extension::zihpm}},
    {Extension::ssdbltrp, {Extension::s}},
    {Extension::ssnpm, {Extension::s}},
    {Extension::sstc, {Extension::s}},
    {Extension::svinval, {Extension::s}},
    {Extension::svade, {Extension::s}},
    {Extension::svadu, {Extension::s}},
    {Extension::svnapot, {Extension::s}},
    {Extension::svpbmt, {Extension::s}},
    {Extension::svvptc, {Extension::s}},
    {Extension::ssccptr, {Extension::s}},
    {Extension::sscounterenw, {Extension::s}},
    {Extension::ssstrict, {Extension::s}},
    {Extension::sstvala, {Extension::s}},
    {Extension::sstvecd, {Extension::s}},
    {Extension::ssu64xl, {Extension::s}},
    {Extension::s, {Extension::u}},
    {Extension::u, {Extension::zicsr}},
    {Extension::sv48, {Extension::sv39}},
    {Extension::sv57, {Extension::sv48}},
    {Extension::sv39, {Extension::s}},
});

inline constexpr auto kDerivations = std::to_array<Derivation>({
    {Extension::b, Derivation::Rule::all, {Extension::zba, Extension::zbb, Extension::zbs}},
    {Extension::zcd, Derivation::Rule::all, {Extension::c, Extension::d}},
    {Extension::zbb_zbkb, Derivation::Rule::any, {Extension::zbb, Extension::zbkb}},
    {Extension::zbc_zbkc, Derivation::Rule::any, {Extension::zbc, Extension::zbkc}},
    {Extension::zkn,
     Derivation::Rule::all,
     {Extension::zbkb, Extension::zbkc, Extension::zbkx, Extension::zkne, Extension::zknd, Extension::zknh}},
    {Extension::zks,
     Derivation::Rule::all,
     {Extension::zbkb, Extension::zbkc, Extension::zbkx, Extension::zksed, Extension::zksh}},
    {Extension::zkne_zknd, Derivation::Rule::any, {Extension::zkne, Extension::zknd}},
    {Extension::zfa_d, Derivation::Rule::all, {Extension::zfa, Extension::d}},
    {Extension::zfa_zfh, Derivation::Rule::all, {Extension::zfa, Extension::zfh}},
    {Extension::zfh_d, Derivation::Rule::all, {Extension::zfhmin, Extension::d}},
    {Extension::zabha_zacas, Derivation::Rule::all, {Extension::zabha, Extension::zacas}},
    {Extension::zcb_zmmul, Derivation::Rule::all, {Extension::zcb, Extension::zmmul}},
    {Extension::zcb_zba, Derivation::Rule::all, {Extension::zcb, Extension::zba}},
    {Extension::zcb_zbb, Derivation::Rule::all, {Extension::zcb, Extension::zbb}},
    {Extension::mseccfg, Derivation::Rule::any, {Extension::smepmp, Extension::smmpm, Extension::zkr}},
    {Extension::mtval2, Derivation::Rule::any, {Extension::smdbltrp, Extension::ssdbltrp}},
    // Unless they are off: S mode without page tables, and harts without protection.
    {Extension::sv39, Derivation::Rule::all, {Extension::s}},
    {Extension::pmp, Derivation::Rule::all, {}},
    {Extension::priv, Derivation::Rule::all, {}},
});

// `extension` needs `missing`, which is to be off.
struct Conflict {
    Extension extension;
    Extension missing;
};

struct Completed {
    ExtensionSet extensions;
    std::optional<Conflict> conflict;  // then the set is not complete
};

// `wished`, and all that it asks for, but nothing of `off`.
constexpr Completed complete(ExtensionSet wished, const ExtensionSet& off = {}) {
    for (bool changed = true; changed;) {
        changed = false;
        for (const Implication& rule : kImplications) {
            if (!wished.has(rule.extension)) {
                continue;
            }
            for (const ExtensionDesc& needed : kExtensions) {
                if (!rule.needs.has(needed.id) || wished.has(needed.id)) {
                    continue;
                }
                if (off.has(needed.id)) {
                    return {wished, Conflict{rule.extension, needed.id}};
                }
                wished.add(needed.id);
                changed = true;
            }
        }
        for (const Derivation& rule : kDerivations) {
            const bool holds =
                rule.rule == Derivation::Rule::all ? wished.has_all(rule.of) : wished.has_any(rule.of);
            if (holds && !wished.has(rule.extension) && !off.has(rule.extension)) {
                wished.add(rule.extension);
                changed = true;
            }
        }
    }
    return {wished, std::nullopt};
}

}  // namespace weft::riscv
