using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using DaprPlatform.ServiceDefaults.Auth;
using Xunit;

namespace DaprPlatform.Services.Tests;

/// <summary>Tokens and key sets against jose, a JWT library that knows nothing of ours.</summary>
public sealed class JoseTests : IClassFixture<JoseTests.Jose>
{
    private static readonly JwtOptions Options = new("daprplatform", "daprplatform-api");
    private readonly Jose _jose;

    public JoseTests(Jose jose)
    {
        _jose = jose;
        Assert.SkipWhen(jose.Missing is not null, jose.Missing ?? "");
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Jose_reads_in_a_token_what_we_wrote_and_we_in_its_token_what_it_wrote()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signer = new JwtSigner(key.ExportPkcs8PrivateKeyPem(), Options, TimeProvider.System);
        var answer = await _jose.CheckAsync(key, signer.PublicKey, signer.Issue("USR-1", ["customer", "operator"], TimeSpan.FromMinutes(15)), Cancel);
        Assert.Null((string?)answer["error"]);
        var claims = answer["claims"]!;
        Assert.Equal("USR-1", (string?)claims["sub"]);
        Assert.Equal(["customer", "operator"], claims["roles"]!.AsArray().Select(r => (string?)r));
        Assert.Equal(900, (long)claims["exp"]! - (long)claims["iat"]!);

        var (principal, reason) = await new JwtVerifier(Options, new LocalKeys(signer.PublicKey), TimeProvider.System).VerifyAsync((string)answer["signed"]!, Cancel);
        Assert.Null(reason);
        Assert.Equal("USR-2", principal!.FindFirst("sub")!.Value);
        Assert.True(principal.IsInRole(Roles.Operator));
    }

    [Fact]
    public async Task What_jose_refuses_is_what_we_refuse()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signer = new JwtSigner(key.ExportPkcs8PrivateKeyPem(), Options, TimeProvider.System);
        using var stranger = new JwtSigner(other.ExportPkcs8PrivateKeyPem(), Options, TimeProvider.System);
        using var elsewhere = new JwtSigner(key.ExportPkcs8PrivateKeyPem(), new JwtOptions("daprplatform", "another-api"), TimeProvider.System);
        var verifier = new JwtVerifier(Options, new LocalKeys(signer.PublicKey), TimeProvider.System);
        var good = signer.Issue("USR-1", [], TimeSpan.FromMinutes(15));
        var refused = new (string Token, string Error)[]
        {
            (stranger.Issue("USR-1", [], TimeSpan.FromMinutes(15)), "ERR_JWKS_NO_MATCHING_KEY"),
            (elsewhere.Issue("USR-1", [], TimeSpan.FromMinutes(15)), "ERR_JWT_CLAIM_VALIDATION_FAILED"),
            (signer.Issue("USR-1", [], TimeSpan.FromMinutes(-15)), "ERR_JWT_EXPIRED"),
            (good[..^4] + (good[^4] == 'A' ? "BAAA" : "AAAA"), "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"),
        };
        foreach (var (token, error) in refused)
        {
            Assert.Equal(error, (string?)(await _jose.CheckAsync(key, signer.PublicKey, token, Cancel))["error"]);
            Assert.Null((await verifier.VerifyAsync(token, Cancel)).Principal);
        }
    }

    /// <summary>The library, installed once into a folder of its own.</summary>
    public sealed class Jose : IAsyncLifetime
    {
        private static readonly TimeSpan InstallLimit = TimeSpan.FromMinutes(5);
        private readonly string _folder = Directory.CreateTempSubdirectory("jose-").FullName;

        /// <summary>Why it is not there.</summary>
        public string? Missing { get; private set; }

        public async ValueTask InitializeAsync()
        {
            foreach (var file in Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Jose")))
                File.Copy(file, Path.Combine(_folder, Path.GetFileName(file)));
            using var limit = new CancellationTokenSource(InstallLimit);
            try
            {
                var (code, output) = await RunAsync(OperatingSystem.IsWindows() ? "npm.cmd" : "npm", ["ci", "--prefer-offline"], "", limit.Token);
                Missing = code == 0 ? null : $"npm could not install jose: {output}";
            }
            catch (Exception e) when (e is System.ComponentModel.Win32Exception or OperationCanceledException)
            {
                Missing = $"npm did not install jose: {e.Message}";
            }
        }

        public ValueTask DisposeAsync()
        {
            try
            {
                Directory.Delete(_folder, recursive: true);
            }
            catch (IOException)
            {
                // npm may still be writing its log there; the folder is a temporary one.
            }
            return default;
        }

        internal async Task<JsonNode> CheckAsync(ECDsa key, Jwk publicKey, string token, CancellationToken cancel)
        {
            var given = new JsonObject
            {
                ["jwks"] = JsonNode.Parse(Jwk.WriteSet([publicKey])),
                ["token"] = token,
                ["issuer"] = Options.Issuer,
                ["audience"] = Options.Audience,
                ["privateKey"] = key.ExportPkcs8PrivateKeyPem(),
                ["subject"] = "USR-2",
            };
            var (code, output) = await RunAsync("node", ["check.mjs"], given.ToJsonString(), cancel);
            return code == 0 ? JsonNode.Parse(output)! : throw new InvalidOperationException(output);
        }

        private async Task<(int Code, string Output)> RunAsync(string program, string[] arguments, string input, CancellationToken cancel)
        {
            var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = _folder, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
            using var process = Process.Start(start)!;
            var error = process.StandardError.ReadToEndAsync(cancel);
            var output = process.StandardOutput.ReadToEndAsync(cancel);
            try
            {
                await process.StandardInput.WriteAsync(input.AsMemory(), cancel);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended without reading; its output says why.
            }
            await process.WaitForExitAsync(cancel);
            return (process.ExitCode, process.ExitCode == 0 ? await output : await output + await error);
        }
    }
}
