# What is installed, and two Debian packages of it:
#
#   cmake --preset release && cmake --build --preset release
#   (cd build/release && cpack)     # uplinkd_*.deb and uplinkctl_*.deb
#
# The prefix is /usr, as the unit has it and as systemd and ip(8) look for what
# is theirs.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "" FORCE)
endif()
include(GNUInstallDirs)
set(packaging ${PROJECT_SOURCE_DIR}/agent/packaging)
set(made ${PROJECT_BINARY_DIR}/packaging)
file(MAKE_DIRECTORY ${made})
find_program(LOWDOWN lowdown REQUIRED)
find_program(GZIP gzip REQUIRED)

# made(FILE COMMAND... DEPENDS file...): what the command prints, and FILE.gz.
set(made_files)
macro(made file)
  cmake_parse_arguments(arg "" "" "COMMAND;DEPENDS" ${ARGN})
  add_custom_command(OUTPUT ${made}/${file} ${made}/${file}.gz
    COMMAND ${arg_COMMAND} > ${made}/${file}
    COMMAND ${GZIP} -9nkf ${made}/${file}
    DEPENDS ${arg_DEPENDS} VERBATIM)
  list(APPEND made_files ${made}/${file})
endmacro()
made(uplinkctl.bash COMMAND uplinkctl completion bash DEPENDS uplinkctl)
made(uplinkctl.zsh COMMAND uplinkctl completion zsh DEPENDS uplinkctl)
made(uplinkctl.fish COMMAND uplinkctl completion fish DEPENDS uplinkctl)
made(uplinkd.schema.json COMMAND uplinkctl schema DEPENDS uplinkctl)
made(uplinkctl.1 COMMAND uplinkctl manual DEPENDS uplinkctl)
made(uplinkd.8 COMMAND cat ${PROJECT_SOURCE_DIR}/docs/man/uplinkd.8
  DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/uplinkd.8)
made(uplinkd-spec.5
  COMMAND ${PROJECT_SOURCE_DIR}/docs/man/spec-page.sh
          ${PROJECT_SOURCE_DIR}/docs/spec.md ${PROJECT_VERSION}
  DEPENDS ${PROJECT_SOURCE_DIR}/docs/spec.md
          ${PROJECT_SOURCE_DIR}/docs/man/spec-page.sh)
made(changelog COMMAND cat ${packaging}/changelog
  DEPENDS ${packaging}/changelog)
add_custom_target(package_files ALL DEPENDS ${made_files})

set(datadir ${CMAKE_INSTALL_DATADIR})
set(systemd lib/systemd)

# ---- the agent ----
install(TARGETS uplinkd DESTINATION ${CMAKE_INSTALL_SBINDIR} COMPONENT uplinkd)
install(FILES ${packaging}/uplinkd.service DESTINATION ${systemd}/system
  COMPONENT uplinkd)
install(FILES ${packaging}/networkd.conf
  DESTINATION ${systemd}/networkd.conf.d RENAME uplinkd.conf COMPONENT uplinkd)
install(FILES ${packaging}/sysusers.conf DESTINATION lib/sysusers.d
  RENAME uplinkd.conf COMPONENT uplinkd)
install(FILES ${packaging}/tmpfiles.conf DESTINATION lib/tmpfiles.d
  RENAME uplinkd.conf COMPONENT uplinkd)
install(FILES ${packaging}/default DESTINATION /etc/default RENAME uplinkd
  COMPONENT uplinkd)
install(FILES ${packaging}/hooks-README DESTINATION /etc/uplinkd/hooks.d
  RENAME README COMPONENT uplinkd)
# Out of /etc, where the agent may not write, to where the names last as long
# as the routes.
foreach(names rt_tables rt_protos)
  file(CREATE_LINK /run/uplinkd/iproute2/${names}.conf ${made}/${names}.link
    SYMBOLIC)
  install(FILES ${made}/${names}.link DESTINATION /etc/iproute2/${names}.d
    RENAME uplinkd.conf COMPONENT uplinkd)
endforeach()
install(FILES ${made}/uplinkd.8.gz DESTINATION ${datadir}/man/man8
  COMPONENT uplinkd)
install(FILES ${made}/uplinkd-spec.5.gz DESTINATION ${datadir}/man/man5
  COMPONENT uplinkd)
# What the man pages and --help refer to, beside what that refers to.
foreach(page operations spec design metrics glossary)
  install(FILES ${PROJECT_SOURCE_DIR}/docs/${page}.md
    DESTINATION ${datadir}/doc/uplinkd COMPONENT uplinkd)
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/SECURITY.md
  DESTINATION ${datadir}/doc/uplinkd COMPONENT uplinkd)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples
  DESTINATION ${datadir}/doc/uplinkd COMPONENT uplinkd
  FILES_MATCHING PATTERN "*.yaml" PATTERN grafana EXCLUDE
  PATTERN prometheus EXCLUDE)

# ---- the client ----
install(TARGETS uplinkctl DESTINATION ${CMAKE_INSTALL_BINDIR}
  COMPONENT uplinkctl)
install(FILES ${made}/uplinkctl.1.gz DESTINATION ${datadir}/man/man1
  COMPONENT uplinkctl)
install(FILES ${made}/uplinkctl.bash
  DESTINATION ${datadir}/bash-completion/completions RENAME uplinkctl
  COMPONENT uplinkctl)
install(FILES ${made}/uplinkctl.zsh
  DESTINATION ${datadir}/zsh/vendor-completions RENAME _uplinkctl
  COMPONENT uplinkctl)
install(FILES ${made}/uplinkctl.fish
  DESTINATION ${datadir}/fish/vendor_completions.d COMPONENT uplinkctl)
install(FILES ${made}/uplinkd.schema.json DESTINATION ${datadir}/uplinkctl
  COMPONENT uplinkctl)

foreach(component uplinkd uplinkctl)
  install(FILES ${made}/changelog.gz ${packaging}/copyright
    DESTINATION ${datadir}/doc/${component} COMPONENT ${component})
endforeach()

# ---- the packages ----
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME uplinkd)
set(CPACK_PACKAGE_CONTACT
  "uplinkd maintainers <maintainers@users.noreply.r-seed-f091e943.example>")
set(CPACK_COMPONENTS_ALL uplinkd uplinkctl)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_SET_DESTDIR ON)  # for what has its place below /etc
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE
  OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_UPLINKD_PACKAGE_NAME uplinkd)
set(CPACK_DEBIAN_UPLINKD_PACKAGE_SECTION net)
set(CPACK_DEBIAN_UPLINKD_PACKAGE_DEPENDS
  "systemd (>= 247), init-system-helpers (>= 1.54), kmod")
set(CPACK_DEBIAN_UPLINKD_PACKAGE_RECOMMENDS "uplinkctl, iproute2")
set(CPACK_DEBIAN_UPLINKD_DESCRIPTION
"keeps the uplinks of a router balanced
An agent that compares one spec with the routes, ip rules and iptables chains
of the kernel and mends what differs, so that the connections of the networks
behind a router are spread over its uplinks whatever happens to them.")
set(CPACK_DEBIAN_UPLINKCTL_PACKAGE_NAME uplinkctl)
set(CPACK_DEBIAN_UPLINKCTL_PACKAGE_SECTION net)
set(CPACK_DEBIAN_UPLINKCTL_DESCRIPTION
"client of uplinkd, the uplink balancer
Checks a spec, hands it to the agent of a router, and shows how its uplinks
are, what the agent did and why, and which uplink a connection would get.")
file(WRITE ${made}/conffiles
  "/etc/default/uplinkd\n/etc/uplinkd/hooks.d/README\n")
set(CPACK_DEBIAN_UPLINKD_PACKAGE_CONTROL_EXTRA
  "${packaging}/postinst;${packaging}/prerm;${packaging}/postrm;${made}/conffiles")
include(CPack)
