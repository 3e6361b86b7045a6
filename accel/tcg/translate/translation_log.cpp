#include "accel/tcg/translate/translation_log.h"

#include <fmt/format.h>

#include <string>

#include "base/log.h"
#include "tcg/ir/print.h"

namespace weft::accel {

namespace {

unsigned number(LogItem item) { return static_cast<unsigned>(item); }

void write(const HostServices& host, const std::string& record) {
    host.log(host.opaque, record.data(), record.size());
}

}  // namespace

bool TranslationLog::wanted(unsigned item, uint64_t pc, uint64_t size) const {
    return host_.log_enabled(host_.opaque, item) && host_.log_in_filter(host_.opaque, pc, size);
}

bool TranslationLog::wants_ir() const {
    return host_.log_enabled(host_.opaque, number(LogItem::op)) ||
           host_.log_enabled(host_.opaque, number(LogItem::op_opt));
}

void TranslationLog::in_asm(std::span<const uint8_t> code, uint64_t pc) const {
    if (!wanted(number(LogItem::in_asm), pc, code.size())) {
        return;
    }
    std::string record = "----------------\nIN:\n";
    const TextSink sink{[](void* opaque, const char* text, size_t length) {
                            static_cast<std::string*>(opaque)->append(text, length);
                        },
                        &record};
    guest_.disassemble(guest_.model, code.data(), code.size(), pc, &sink);
    write(host_, record + "\n");
}

void TranslationLog::unit(const char* title, const ir::Unit& unit, uint64_t pc) const {
    const tcg::PrintNames names{{guest_.globals, guest_.global_count}, {guest_.helpers, guest_.helper_count}};
    write(host_, fmt::format("{}: pc {:#x}\n{}\n", title, pc, tcg::print_unit(unit, names)));
}

void TranslationLog::op(const ir::Unit& unit, uint64_t pc) const {
    if (wanted(number(LogItem::op), pc, unit.guest_size)) {
        this->unit("OP", unit, pc);
    }
}

void TranslationLog::op_opt(const ir::Unit& unit, uint64_t pc) const {
    if (wanted(number(LogItem::op_opt), pc, unit.guest_size)) {
        this->unit("OP after optimization", unit, pc);
    }
}

void TranslationLog::out_asm(const tcg::Backend& backend, tcg::CodeWindow code, uint64_t pc,
                             uint64_t guest_size) const {
    if (wanted(number(LogItem::out_asm), pc, guest_size)) {
        write(host_, fmt::format("OUT: [size={}] pc {:#x}\n{}\n", code.size, pc, backend.disassemble(code)));
    }
}

}  // namespace weft::accel
