#include "runtime/debug/source_symbols.h"

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "absl/debugging/symbolize.h"
#include "absl/strings/str_cat.h"
#include "runtime/debug/library.h"

namespace gyre::internal {

namespace {

std::string Demangled(const char* name) {
  int status = 0;
  std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
  return status == 0 ? text.get() : name;
}

// libdw's functions, as far as they are used here.
struct Dw {
  decltype(&::dwfl_begin) begin = nullptr;
  decltype(&::dwfl_report_begin) report_begin = nullptr;
  decltype(&::dwfl_report_end) report_end = nullptr;
  decltype(&::dwfl_linux_proc_report) linux_proc_report = nullptr;
  decltype(&::dwfl_linux_proc_find_elf) linux_proc_find_elf = nullptr;
  decltype(&::dwfl_addrmodule) addrmodule = nullptr;
  decltype(&::dwfl_module_info) module_info = nullptr;
  decltype(&::dwfl_module_build_id) module_build_id = nullptr;
  decltype(&::dwfl_module_addrdie) module_addrdie = nullptr;
  decltype(&::dwfl_module_addrname) module_addrname = nullptr;
  decltype(&::dwfl_module_getsrc) module_getsrc = nullptr;
  decltype(&::dwfl_lineinfo) lineinfo = nullptr;
  decltype(&::dwarf_getscopes) getscopes = nullptr;
  decltype(&::dwarf_getscopes_die) getscopes_die = nullptr;
  decltype(&::dwarf_tag) tag = nullptr;
  decltype(&::dwarf_diename) diename = nullptr;
  decltype(&::dwarf_attr_integrate) attr_integrate = nullptr;
  decltype(&::dwarf_formstring) formstring = nullptr;
  decltype(&::dwarf_formudata) formudata = nullptr;
  decltype(&::dwarf_decl_line) decl_line = nullptr;
  decltype(&::dwfl_module_eh_cfi) module_eh_cfi = nullptr;
  decltype(&::dwarf_cfi_addrframe) cfi_addrframe = nullptr;
  decltype(&::dwarf_frame_cfa) frame_cfa = nullptr;
  decltype(&::dwarf_getsrcfiles) getsrcfiles = nullptr;
  decltype(&::dwarf_filesrc) filesrc = nullptr;

  absl::Status Load() {
    Library library("libdw.so.1", "libdw1");
    library.Bind("dwfl_begin", &begin)
        .Bind("dwfl_report_begin", &report_begin)
        .Bind("dwfl_report_end", &report_end)
        .Bind("dwfl_linux_proc_report", &linux_proc_report)
        .Bind("dwfl_linux_proc_find_elf", &linux_proc_find_elf)
        .Bind("dwfl_addrmodule", &addrmodule)
        .Bind("dwfl_module_info", &module_info)
        .Bind("dwfl_module_build_id", &module_build_id)
        .Bind("dwfl_module_addrdie", &module_addrdie)
        .Bind("dwfl_module_addrname", &module_addrname)
        .Bind("dwfl_module_getsrc", &module_getsrc)
        .Bind("dwfl_lineinfo", &lineinfo)
        .Bind("dwarf_getscopes", &getscopes)
        .Bind("dwarf_getscopes_die", &getscopes_die)
        .Bind("dwarf_tag", &tag)
        .Bind("dwarf_diename", &diename)
        .Bind("dwarf_attr_integrate", &attr_integrate)
        .Bind("dwarf_formstring", &formstring)
        .Bind("dwarf_formudata", &formudata)
        .Bind("dwarf_decl_line", &decl_line)
        .Bind("dwfl_module_eh_cfi", &module_eh_cfi)
        .Bind("dwarf_cfi_addrframe", &cfi_addrframe)
        .Bind("dwarf_frame_cfa", &frame_cfa)
        .Bind("dwarf_getsrcfiles", &getsrcfiles)
        .Bind("dwarf_filesrc", &filesrc);
    return library.status();
  }
};

// Separate debug files are not looked for: that may ask servers.
int NoSeparateDebugInfo(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*, GElf_Word, char**) {
  return -1;
}

class Symbolizer {
 public:
  Symbolizer() : status_(dw_.Load()) {
    if (!status_.ok()) return;
    static const Dwfl_Callbacks callbacks = {dw_.linux_proc_find_elf, &NoSeparateDebugInfo, nullptr, nullptr};
    dwfl_ = dw_.begin(&callbacks);
    if (dwfl_ == nullptr) status_ = absl::UnavailableError("libdw does not start");
    Report();
  }

  const Symbols& Of(uintptr_t pc) {
    std::lock_guard<std::mutex> hold(mutex_);
    auto [place, is_new] = known_.try_emplace(pc);
    if (is_new) place->second = Ask(pc);
    return place->second;
  }

  std::vector<void*> FramelessCallers(uintptr_t pc, absl::Span<const uintptr_t> stack) {
    std::lock_guard<std::mutex> hold(mutex_);
    std::vector<void*> callers;
    size_t sp = 0;  // an index
    for (;;) {
      auto [place, is_new] = frame_bytes_.try_emplace(pc);
      if (is_new) place->second = FrameBytes(pc);
      const size_t words = place->second / 8;
      if (words == 0 || words > stack.size() - sp) return callers;
      sp += words;
      const uintptr_t caller = stack[sp - 1];
      if (caller == 0) return callers;
      callers.push_back(reinterpret_cast<void*>(caller));
      pc = caller - 1;
    }
  }

  const absl::Status& status() const { return status_; }

 private:
  // How far above the stack pointer the caller's frame ends at `pc`; 0 where that is known from the frame pointer only.
  size_t FrameBytes(uintptr_t pc) {
    Dwfl_Module* module = dwfl_ != nullptr ? dw_.addrmodule(dwfl_, pc) : nullptr;
    Dwarf_Addr bias = 0;
    Dwarf_CFI* table = module != nullptr ? dw_.module_eh_cfi(module, &bias) : nullptr;
    Dwarf_Frame* frame = nullptr;
    if (table == nullptr || dw_.cfi_addrframe(table, pc - bias, &frame) != 0) return 0;
    std::unique_ptr<Dwarf_Frame, decltype(&std::free)> owned(frame, &std::free);
    Dwarf_Op* operations = nullptr;
    size_t count = 0;
    constexpr int kStackPointer = 7;  // DWARF's number of rsp
    if (dw_.frame_cfa(frame, &operations, &count) != 0 || count != 1) return 0;
    const Dwarf_Op& where = operations[0];
    if (where.atom == DW_OP_breg0 + kStackPointer) return where.number;
    if (where.atom == DW_OP_bregx && where.number == kStackPointer) return where.number2;
    return 0;
  }

  void Report() {
    if (dwfl_ == nullptr) return;
    dw_.report_begin(dwfl_);
    dw_.linux_proc_report(dwfl_, getpid());
    dw_.report_end(dwfl_, nullptr, nullptr);
  }

  Symbols Ask(uintptr_t pc) {
    Symbols symbols;
    if (dwfl_ != nullptr) {
      Dwfl_Module* module = dw_.addrmodule(dwfl_, pc);
      if (module == nullptr && !reported_again_) {
        // A library that was loaded since. (Once: what is in no module then, code made at run time say, never will be.)
        reported_again_ = true;
        Report();
        module = dw_.addrmodule(dwfl_, pc);
      }
      if (module != nullptr) {
        symbols.module = ModuleOf(module);
        AskDwarf(module, pc, symbols.frames);
      }
    }
    if (symbols.frames.empty()) {
      char name[1024];
      const bool found = absl::Symbolize(reinterpret_cast<void*>(pc), name, sizeof(name));
      symbols.frames.push_back({found ? name : absl::StrCat("0x", absl::Hex(pc)), "", 0, 0});
    }
    return symbols;
  }

  const Module* ModuleOf(Dwfl_Module* module) {
    std::unique_ptr<Module>& known = modules_[module];
    if (known == nullptr) {
      known = std::make_unique<Module>();
      Dwarf_Addr start = 0, end = 0;
      const char* file = nullptr;
      const char* name = dw_.module_info(module, nullptr, &start, &end, nullptr, nullptr, &file, nullptr);
      known->start = start;
      known->end = end;
      known->file = file != nullptr ? file : name != nullptr ? name : "";
      const unsigned char* bits = nullptr;
      GElf_Addr at;
      const int bytes = dw_.module_build_id(module, &bits, &at);
      for (int i = 0; i < bytes; ++i) absl::StrAppend(&known->build_id, absl::Hex(bits[i], absl::kZeroPad2));
    }
    return known.get();
  }

  // The functions around pc, innermost first. A concrete scope holds the place of its call in the one around it.
  void AskDwarf(Dwfl_Module* module, uintptr_t pc, std::vector<CodeFrame>& frames) {
    std::string file;
    int line = 0;
    if (Dwfl_Line* source = dw_.module_getsrc(module, pc)) {
      const char* name = dw_.lineinfo(source, nullptr, &line, nullptr, nullptr, nullptr);
      if (name != nullptr) file = name;
    }
    Dwarf_Addr bias = 0;
    Dwarf_Die* unit = dw_.module_addrdie(module, pc, &bias);
    Dwarf_Die* scopes = nullptr;
    if (unit != nullptr && dw_.getscopes(unit, pc - bias, &scopes) > 0) {
      Dwarf_Die* around = nullptr;
      const int count = dw_.getscopes_die(&scopes[0], &around);
      for (int i = 0; i < count; ++i) {
        Dwarf_Die* scope = &around[i];
        const int tag = dw_.tag(scope);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram) continue;
        int declared = 0;
        dw_.decl_line(scope, &declared);
        frames.push_back({NameOf(scope), file, line, declared});
        if (tag == DW_TAG_subprogram) break;
        file = CallFile(unit, scope);
        line = static_cast<int>(Number(scope, DW_AT_call_line));
      }
      std::free(around);
    }
    std::free(scopes);
    if (const char* symbol = dw_.module_addrname(module, pc)) {
      // The symbol table knows the outermost one's name in full, and where there is no DWARF it is all there is.
      const std::string name = Demangled(symbol);
      if (frames.empty()) {
        frames.push_back({name, file, line, 0});
      } else {
        frames.back().function = name;
      }
    }
  }

  std::string NameOf(Dwarf_Die* scope) {
    Dwarf_Attribute attribute;
    if (dw_.attr_integrate(scope, DW_AT_linkage_name, &attribute) != nullptr) {
      if (const char* name = dw_.formstring(&attribute)) return Demangled(name);
    }
    const char* name = dw_.diename(scope);
    return name != nullptr ? name : "(without a name)";
  }

  Dwarf_Word Number(Dwarf_Die* scope, unsigned int which) {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dw_.attr_integrate(scope, which, &attribute) != nullptr) dw_.formudata(&attribute, &value);
    return value;
  }

  std::string CallFile(Dwarf_Die* unit, Dwarf_Die* scope) {
    Dwarf_Files* files = nullptr;
    size_t count = 0;
    if (dw_.getsrcfiles(unit, &files, &count) != 0) return "";
    const char* name = dw_.filesrc(files, Number(scope, DW_AT_call_file), nullptr, nullptr);
    return name != nullptr ? name : "";
  }

  Dw dw_;
  absl::Status status_;
  std::mutex mutex_;  // around everything below
  Dwfl* dwfl_ = nullptr;
  bool reported_again_ = false;
  std::unordered_map<uintptr_t, Symbols> known_;  // references to its values stay good
  std::unordered_map<uintptr_t, size_t> frame_bytes_;
  std::unordered_map<Dwfl_Module*, std::unique_ptr<Module>> modules_;
};

// Never destroyed: the process may end while somebody asks.
Symbolizer& TheSymbolizer() {
  static Symbolizer* symbolizer = new Symbolizer;
  return *symbolizer;
}

}  // namespace

const Symbols& SymbolsOf(uintptr_t pc) {
  return TheSymbolizer().Of(pc);
}

std::vector<void*> FramelessCallers(uintptr_t pc, absl::Span<const uintptr_t> stack) {
  return TheSymbolizer().FramelessCallers(pc, stack);
}

std::string WhyNoLines() {
  const absl::Status& status = TheSymbolizer().status();
  return status.ok() ? "" : absl::StrCat("the lines are missing: ", status.message());
}

}  // namespace gyre::internal
