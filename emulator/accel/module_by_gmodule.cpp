#include "emulator/accel/module_by_gmodule.h"

#include <glib.h>
#include <gmodule.h>

#include <memory>

namespace weft::loader {

namespace {

struct ModuleClose {
    void operator()(GModule* module) const { g_module_close(module); }
};

}  // namespace

Result<const void*> gmodule_symbol(const std::string& path, const char* symbol) {
    GError* error = nullptr;
    std::unique_ptr<GModule, ModuleClose> module(
        g_module_open_full(path.c_str(), G_MODULE_BIND_LOCAL, &error));
    if (!module) {
        const std::string reason = error != nullptr ? error->message : "unknown reason";
        g_clear_error(&error);
        return fail(reason);
    }
    gpointer address = nullptr;
    if (g_module_symbol(module.get(), symbol, &address) == FALSE || address == nullptr) {
        return nullptr;
    }
    g_module_make_resident(module.get());
    return address;
}

}  // namespace weft::loader
