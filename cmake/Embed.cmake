# embed_files(TARGET FOLDERS… [LAUNCHER target]): every file of the folders (relative to the project), and the launcher
# program, become part of the library TARGET: src/build/embedded_files.hpp reads them at run time. The assembler takes the
# bytes in (.incbin); the table of names is generated when CMake runs, the bytes are read anew when a file changes.
function(embed_files target)
  cmake_parse_arguments(E "" "LAUNCHER" "FOLDERS" ${ARGN})
  set(names)
  foreach(folder ${E_FOLDERS})
    file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/${folder}/*)
    list(FILTER files EXCLUDE REGEX "__pycache__|\\.pyc$|~$")
    list(APPEND names ${files})
  endforeach()
  list(SORT names)

  set(assembly "")
  set(externs "")
  set(rows "")
  set(dependencies "")
  set(number 0)
  macro(embed_one path)
    string(APPEND assembly
      "    \".balign 16\\n\" \"cib_embedded_${number}: .incbin \\\"${path}\\\"\\n\" \"cib_embedded_${number}_end: .byte 0\\n\"\n")
    string(APPEND externs "extern const char cib_embedded_${number}[], cib_embedded_${number}_end[];\n")
    list(APPEND dependencies ${path})
  endmacro()
  foreach(name ${names})
    embed_one(${CMAKE_SOURCE_DIR}/${name})
    # Executable files are those of bin/: what git's mode says is not known to every checkout.
    if(name MATCHES "/bin/[^/.]+$")
      set(executable true)
    else()
      set(executable false)
    endif()
    string(APPEND rows "      {\"${name}\", cib_embedded_${number}, cib_embedded_${number}_end, ${executable}},\n")
    math(EXPR number "${number} + 1")
  endforeach()
  set(launcher "std::string_view()")
  if(E_LAUNCHER)
    embed_one(${CMAKE_BINARY_DIR}/${E_LAUNCHER})
    set(launcher "std::string_view(cib_embedded_${number}, static_cast<std::size_t>(cib_embedded_${number}_end - cib_embedded_${number}))")
  endif()

  set(generated ${CMAKE_BINARY_DIR}/generated/embedded_files.cpp)
  file(CONFIGURE OUTPUT ${generated} @ONLY CONTENT [=[
// Made by cmake/Embed.cmake.
#include "build/embedded_files.hpp"

#include <cstddef>
#include <vector>

asm(".pushsection .rodata\n"
@assembly@    ".popsection\n");

extern "C" {
@externs@}

namespace cib::build {

const std::vector<EmbeddedFile>& embedded_files() {
  struct Row {
    const char* name;
    const char* begin;
    const char* end;
    bool executable;
  };
  static const std::vector<EmbeddedFile> files = [] {
    const Row rows[] = {
@rows@    };
    std::vector<EmbeddedFile> list;
    for (const Row& row : rows)
      list.push_back({row.name, {row.begin, static_cast<std::size_t>(row.end - row.begin)}, row.executable});
    return list;
  }();
  return files;
}

std::string_view embedded_launcher() { return @launcher@; }

}  // namespace cib::build
]=])
  target_sources(${target} PRIVATE ${generated})
  # ccache does not see what .incbin reads: CMake does.
  set_source_files_properties(${generated} PROPERTIES OBJECT_DEPENDS "${dependencies}" GENERATED TRUE)
  if(E_LAUNCHER)
    add_dependencies(${target} ${E_LAUNCHER})
  endif()
endfunction()
