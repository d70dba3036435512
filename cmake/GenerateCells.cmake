# Generates the C++ of the cells from their equations.
#
# Sets generated_dir and generated_sources, and adds the target generate_cells. A file added to
# src/gatewright/cells becomes part of the next build; a changed one is generated alone.

set(package_dir ${CMAKE_CURRENT_SOURCE_DIR}/src/gatewright)
set(generated_dir ${CMAKE_CURRENT_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${generated_dir})

file(GLOB cell_files CONFIGURE_DEPENDS ${package_dir}/cells/*.py)
list(REMOVE_ITEM cell_files ${package_dir}/cells/__init__.py)
file(GLOB language_files CONFIGURE_DEPENDS
     ${package_dir}/equations/*.py ${package_dir}/compiler/*.py ${package_dir}/compiler/printers/*.py)

# -S leaves out site-packages: generation must work with the standard library alone.
set(emit ${CMAKE_COMMAND} -E env PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/src
         ${Python_EXECUTABLE} -S -B -m gatewright.compiler.emit)

# Runs the emitter for OUTPUT. A result that is the same as before keeps its date, so that work on
# the emitter compiles only what it changed.
function(generate_file output)
  cmake_parse_arguments(arg "" "" "ARGUMENTS;DEPENDS" ${ARGN})
  set(file ${generated_dir}/${output})
  add_custom_command(
    OUTPUT ${file}
    COMMAND ${emit} ${arg_ARGUMENTS} --output ${file}.new
    COMMAND ${CMAKE_COMMAND} -E copy_if_different ${file}.new ${file}
    DEPENDS ${arg_DEPENDS} ${language_files}
    COMMENT "Generating ${output}"
    VERBATIM)
endfunction()

set(generated_sources "")
set(cell_names "")
foreach(cell_file IN LISTS cell_files)
  cmake_path(GET cell_file STEM name)
  generate_file(${name}.cpp ARGUMENTS ${name} DEPENDS ${cell_file})
  list(APPEND generated_sources ${generated_dir}/${name}.cpp)
  list(APPEND cell_names ${name})
endforeach()

# The list of the cells as a file, rewritten only when it changes. The index depends on it, and on
# the cells too: it leaves out those that the engine cannot hold.
list(JOIN cell_names "\n" cell_names)
file(CONFIGURE OUTPUT ${generated_dir}/cells.txt CONTENT "${cell_names}\n" @ONLY)
generate_file(cells.h ARGUMENTS --index DEPENDS ${generated_dir}/cells.txt ${cell_files})

add_custom_target(generate_cells DEPENDS ${generated_sources} ${generated_dir}/cells.h)
