using DaprPlatform.Contracts.Users;
using DaprPlatform.RestApi;

namespace DaprPlatform.Gateway.Api;

internal sealed class RemoteAccounts(Users.UsersClient users) : IAccounts
{
    public Task<Session> RegisterAsync(RegisterRequest request, CancellationToken cancellationToken) =>
        users.RegisterAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Session> LoginAsync(LoginRequest request, CancellationToken cancellationToken) =>
        users.LoginAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Session> RefreshAsync(RefreshRequest request, CancellationToken cancellationToken) =>
        users.RefreshAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<LogoutResponse> LogoutAsync(LogoutRequest request, CancellationToken cancellationToken) =>
        users.LogoutAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<UserProfile> GetProfileAsync(GetProfileRequest request, CancellationToken cancellationToken) =>
        users.GetProfileAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<UserProfile> UpdateProfileAsync(UpdateProfileRequest request, CancellationToken cancellationToken) =>
        users.UpdateProfileAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<KeySet> GetKeysAsync(GetKeysRequest request, CancellationToken cancellationToken) =>
        users.GetKeysAsync(request, cancellationToken: cancellationToken).ResponseAsync;
}
