; Makes an installer of build\package\dist\hocket by Inno Setup 6: iscc /DVersion=0.2.0 packaging\windows\hocket.iss
; Untested: see docs/install.md.

#ifndef Version
  #error Give the version: iscc /DVersion=0.2.0
#endif

[Setup]
AppId=Hocket
AppName=Hocket
AppVersion={#Version}
DefaultDirName={autopf}\Hocket
DefaultGroupName=Hocket
PrivilegesRequired=lowest
ChangesAssociations=yes
LicenseFile=..\..\LICENSE
OutputDir=..\..\build\package
OutputBaseFilename=hocket-{#Version}-setup
SetupIconFile=..\..\build\package\icons\hocket.ico
UninstallDisplayIcon={app}\hocket.exe

[Files]
Source: "..\..\build\package\dist\hocket\*"; DestDir: "{app}"; Flags: recursesubdirs

[Icons]
Name: "{group}\Hocket"; Filename: "{app}\hocket.exe"; Parameters: "play"

[Run]
Filename: "{app}\hocket.exe"; Parameters: "play"; Flags: postinstall nowait skipifsilent
